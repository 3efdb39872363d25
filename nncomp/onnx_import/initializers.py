"""Initialisers: which are parameters, which constants; and `Constant` nodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from nncomp.errors import error
from nncomp.ir.graph import Parameter, ParameterKind, Value
from nncomp.ir.naming import matches
from nncomp.onnx_import.dtypes import dtype_of
from nncomp.onnx_import.operation import Operation
from nncomp.onnx_import.scope import Scope
from nncomp.onnx_import.tensors import to_array, to_dense
from nncomp.source import Span
from nncomp.types import Array, DType, TensorType

if TYPE_CHECKING:
    from nncomp.onnx_import.importer import Importer

# Operands that say how an operator works, rather than being what it works with.
_SETTINGS = {
    *(("Resize", 1), ("Resize", 2), ("Upsample", 1), ("Clip", 1), ("Clip", 2), ("Pad", 2)),
    *(("Dropout", 1), ("OneHot", 2), ("Range", 0), ("Range", 1), ("Range", 2)),
    *(("QuantizeLinear", 1), ("DequantizeLinear", 1), ("DynamicQuantizeLinear", 1)),
    *(("QLinearConv", i) for i in (1, 4, 6)),
    *(("QLinearMatMul", i) for i in (1, 4, 6)),
    *(("NonMaxSuppression", 3), ("NonMaxSuppression", 4)),
}
_STATISTICS = {("BatchNormalization", 3), ("BatchNormalization", 4)}
_HIDING = 1e30  # masks hold -inf, or the lowest number that there is
_HIDING_F16 = 65504.0  # the largest one
OUTPUTS_KEY = "nncomp.outputs"


class Kinds:
    """What becomes of the initialisers of a model's graph, from where they are read.

    trainable: names and patterns of those that are learnt; without, all that look like weights.
        What does not look like one must be named itself
    """

    def __init__(self, model: onnx.ModelProto, trainable: Sequence[str] = ()) -> None:
        graph = model.graph
        self._trainable = trainable
        self.names = {t.name for t in graph.initializer}
        self.names |= {t.values.name for t in graph.sparse_initializer}
        self._places: dict[str, set[tuple[str, int]]] = {}
        pending = [*graph.node]
        while pending:
            node = pending.pop()
            for index, name in enumerate(node.input):
                if name in self.names:
                    self._places.setdefault(name, set()).add((node.op_type, index))
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    pending += attribute.g.node

    def kind(self, name: str, array: Array) -> ParameterKind | None:
        """`param`, `buffer` (what batch normalisation has counted), None for a constant."""
        if not DType.of(array).is_float:
            return None
        places = self._places.get(name, set())
        if places and places <= _SETTINGS:
            return None
        if name in self._trainable:
            return "param"
        if not array.ndim or _is_mask(array) or _is_of_formula(name, array):
            return None
        if places and places <= _STATISTICS:
            return "buffer"
        learnt = not self._trainable or any(matches(pattern, name) for pattern in self._trainable)
        return "param" if learnt else "buffer"


def _is_of_formula(name: str, array: Array) -> bool:
    """Whether it is a number like the 3 and 6 of a hard swish, rather than a weight of one element
    (PP-OCR scales its maps by such): by what exporters call them, `helper.constant.0`."""
    return array.size == 1 and "const" in name.lower()


def _is_mask(array: Array) -> bool:
    """Whether it is added to hide something, rather than learnt."""
    hiding = _HIDING_F16 if DType.of(array) is DType.F16 else _HIDING
    return bool(array.size and not float(np.abs(array).max()) < hiding)


def wait(
    importer: Importer, scope: Scope, graph: onnx.GraphProto, kinds: Kinds | None = None
) -> None:
    """Makes the initialisers of a graph known; each is read when it is first needed.

    kinds: which of them are parameters; in a subgraph none is
    """
    tensors: list[tuple[str, onnx.TensorProto | onnx.SparseTensorProto]] = [
        *((t.name, t) for t in graph.initializer),
        *((t.values.name, t) for t in graph.sparse_initializer),
    ]
    for name, tensor in tensors:
        if not name or name in scope.waiting:
            raise error("NN0805", f"the name `{name}` does not stand for one initialiser")

        def make(name: str = name, tensor: Any = tensor) -> Value:
            array = _array(importer, tensor, None)
            kind = kinds.kind(name, array) if kinds else None
            if kind is None:
                return scope.b.constant(array, name=name)
            value = Value(TensorType(DType.of(array), array.shape), name)
            importer.parameters[name] = Parameter(name, value, kind)
            anew = partial(_array, importer, tensor, None)
            importer.weights[name] = anew if importer.stream else lambda: array
            return value

        scope.waiting[name] = make


def _array(
    importer: Importer, tensor: onnx.TensorProto | onnx.SparseTensorProto, span: Span | None
) -> Array:
    if isinstance(tensor, onnx.SparseTensorProto):
        return to_dense(tensor, importer.file.folder, span)
    return to_array(tensor, importer.file.folder, span)


def constant_node(operation: Operation) -> Value:
    """The value of a `Constant` node. CompileError NN0804 for text, NN0805."""
    node, attributes, span = operation.node, operation.attributes, operation.span
    name, b = node.output[0] if node.output else "", operation.scope.b
    if len(attributes) != 1:
        raise error("NN0805", f"a Constant has one attribute, not {len(attributes)}", span)
    ((key, value),) = attributes.items()
    if key in ("value", "sparse_value") and hasattr(value, "dims"):
        return b.constant(_array(operation.importer, value, span), name=name)
    kinds: dict[str, tuple[DType, int, type]] = {
        "value_float": (DType.F32, 0, float),
        "value_floats": (DType.F32, 1, float),
        "value_int": (DType.I64, 0, int),
        "value_ints": (DType.I64, 1, int),
    }
    if key in kinds:
        dtype, rank, item = kinds[key]
        items = value if rank and isinstance(value, tuple) else (value,)
        if isinstance(value, tuple) is bool(rank) and all(isinstance(i, item) for i in items):
            return b.constant(np.array(value, dtype.numpy), name=name)
    if key.startswith("value_string"):
        dtype_of(onnx.TensorProto.STRING, f"the constant `{name}`", span)
    raise error("NN0805", f"`{key}` of a Constant does not hold what it says", span)


def output_names(model: onnx.ModelProto) -> dict[str, str]:
    """Names of outputs in the program, by those in a model that nncomp has built."""
    text = next((p.value for p in model.metadata_props if p.key == OUTPUTS_KEY), "{}")
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    texts = isinstance(names, dict) and all(isinstance(name, str) for name in names.values())
    return names if texts else {}
