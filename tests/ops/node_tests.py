"""ONNX's own node tests as operators of ours with operands and results."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from nncomp.backends.reference.interpreter import evaluate
from nncomp.ir.op import Data, Op
from nncomp.ops import REGISTRY
from nncomp.ops.rules import numbered_dtype
from nncomp.types import Array, DType


@dataclass(frozen=True)
class NodeTest:
    """One node with the arrays that it is given, and those that it should give (None for a result
    that nobody reads)."""

    name: str
    node: onnx.NodeProto
    inputs: tuple[Array | None, ...]
    outputs: tuple[Array | None, ...]
    rtol: float
    atol: float

    def run(self) -> None:
        """Raises where our operator gives anything else."""
        found = evaluate(operator(self.node), self.inputs)
        for array, wanted in zip(found, self.outputs, strict=False):
            if wanted is None:
                continue
            assert array.dtype == wanted.dtype, f"{array.dtype} is not {wanted.dtype}"
            assert array.shape == wanted.shape, f"{array.shape} is not {wanted.shape}"
            if not DType.of(array).is_float:
                np.testing.assert_array_equal(array, wanted)
                continue
            # half precision is exact to its own last digits only
            coarse = 4 * float(ml_dtypes.finfo(array.dtype).eps) if array.dtype.itemsize == 2 else 0
            a, b = array.astype(np.float64), wanted.astype(np.float64)
            np.testing.assert_allclose(a, b, max(self.rtol, coarse), max(self.atol, coarse / 16))


def operator(node: onnx.NodeProto) -> Op:
    """The node's operator of ours. ValueError for an attribute that it lacks."""
    cls = REGISTRY[node.op_type]
    fields = {f.name: str(f.type) for f in dataclasses.fields(cls)}
    attributes: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.name not in fields:
            raise ValueError(f"{node.op_type} has no attribute {attribute.name}")
        value = helper.get_attribute_value(attribute)
        attributes[attribute.name] = _spelt(value, fields[attribute.name])
    return cls(**attributes)


def _spelt(value: Any, annotation: str) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return Data(numpy_helper.to_array(value))
    if isinstance(value, list):
        return tuple(_spelt(v, "") for v in value)
    return numbered_dtype(value) if annotation.startswith("DType") else value


@cache
def node_tests() -> tuple[NodeTest, ...]:
    """Those of one node whose operator is declared here."""
    return tuple(_collected())


def _collected() -> Iterator[NodeTest]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind="node")
    for case in cases:
        graph = case.model.graph
        if len(graph.node) != 1 or graph.initializer or graph.node[0].op_type not in REGISTRY:
            continue
        (node,) = graph.node
        for inputs, outputs in case.data_sets:
            given = dict(zip((v.name for v in graph.input), map(_held, inputs), strict=True))
            made = dict(zip((v.name for v in graph.output), map(_held, outputs), strict=True))
            yield NodeTest(
                case.name,
                node,
                tuple(given.get(name) for name in node.input),
                tuple(made.get(name) for name in node.output),
                case.rtol,
                case.atol,
            )


def _held(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def has_body(test: NodeTest) -> bool:
    """Whether its node runs graphs, which an importer reads."""
    return any(attribute.HasField("g") for attribute in test.node.attribute)


def foreign(test: NodeTest) -> str | None:
    """What stands in its operands or results that no tensor of ours holds; None for nothing."""
    for value in (*test.inputs, *test.outputs):
        if value is None:
            continue
        if not isinstance(value, np.ndarray | np.generic):
            return "sequences and optionals"
        try:
            DType.of(np.asarray(value))
        except KeyError:
            kind = np.asarray(value).dtype
            return "strings" if kind.kind in "OUS" else str(kind)
    return None
