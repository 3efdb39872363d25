"""A few lines around `onnx.helper`, for models written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from nncomp.types import Array

OPSET = 18
IR_VERSION = 8


class Model:
    """Nodes of a graph with known shapes, at opset 18; `m.Conv(x, w, group=2)` adds one."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, array: Array) -> str:
        """An input shaped like the array: x0, x1 …"""
        name = f"x{len(self._inputs)}"
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._inputs.append(helper.make_tensor_value_info(name, dtype, array.shape))
        return name

    def constant(self, array: Array) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def __getattr__(self, op: str) -> Any:
        """An operator of the default domain with one result."""
        return lambda *inputs, **attributes: self.several(op, 1, *inputs, **attributes)[0]

    def several(self, op: str, results: int, *inputs: str, **attributes: Any) -> list[str]:
        names = [f"v{len(self._nodes)}_{i}" for i in range(results)]
        self._nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names

    def reshape(self, x: str, *shape: int) -> str:
        return str(self.Reshape(x, self.ints(*shape)))

    def transpose(self, x: str, *perm: int) -> str:
        return str(self.Transpose(x, perm=perm))

    def total(self, x: str, *axes: int, keep: bool = False) -> str:
        return str(self.ReduceSum(x, self.ints(*axes), keepdims=int(keep)))

    def finish(self, *outputs: str) -> onnx.ModelProto:
        """The model; its outputs are y0, y1 …"""
        named = [f"y{i}" for i in range(len(outputs))]
        for inner, outer in zip(outputs, named, strict=True):
            for node in self._nodes:
                for names in (node.input, node.output):
                    names[:] = [outer if name == inner else name for name in names]
        results = [onnx.ValueInfoProto(name=name) for name in named]
        graph = helper.make_graph(self._nodes, "by_hand", self._inputs, results, self._constants)
        imports = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
