"""Dtypes without a kernel in onnxruntime: a wider one, the operator's meaning, or a refusal."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.kernels import kernels
from nncomp.backends.ort.legalize import Target, legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import run
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import ThresholdedRelu
from nncomp.ops.conversion import BitShift, Where
from nncomp.ops.elementwise import Add, Max
from nncomp.ops.trigonometry import Tan
from nncomp.types import Array, DType, TensorType


def graph_of(op: Op, *arrays: Array) -> tuple[Graph, dict[str, Array]]:
    values = [
        Value(TensorType(DType.of(array), array.shape), f"x{i}") for i, array in enumerate(arrays)
    ]
    b = Builder()
    y = b(op, *values)
    given = {f"x{i}": array for i, array in enumerate(arrays)}
    return Graph("g", tuple(values), (), tuple(b.nodes), {"y": y}), given


def written(op: Op, *arrays: Array) -> list[str]:
    """The operators that are written; asserts that onnxruntime gives NumPy's numbers."""
    graph, given = graph_of(op, *arrays)
    model = emit(legalize(graph))
    found = Session(model, optimize=False).run(given)["y"]
    np.testing.assert_allclose(found, run(graph, given).outputs["y"], rtol=1e-6)
    return [node.op_type for node in model.graph.node]


def test_integers_are_widened() -> None:
    a, b = np.int16([[3, -7]]), np.int16([[5], [-9]])
    assert written(Max(), a, b) == ["Cast", "Cast", "Max", "Cast"]
    bits, places = np.uint16([513, 65535]), np.uint16([3, 9])
    assert written(BitShift("RIGHT"), bits, places) == ["Cast", "Cast", "BitShift", "Cast"]


def test_bools_are_widened() -> None:
    condition, x = np.array([True, False]), np.array([False, False])
    assert written(Where(), condition, x, ~x) == ["Cast", "Cast", "Where", "Cast"]


def test_what_has_kernels_is_left() -> None:
    assert written(Add(), np.int16([3]), np.int16([4])) == ["Add"]


def test_what_cannot_be_widened_has_a_meaning() -> None:
    assert "ThresholdedRelu" not in written(ThresholdedRelu(), np.array([-1.0, 0.5, 7.0]))


def test_what_has_neither_is_refused() -> None:
    graph, _ = graph_of(Tan(), np.array([0.5]))
    with pytest.raises(CompileError, match=r"no kernel for Tan of f64 at opset 17") as failure:
        legalize(graph)
    assert failure.value.diagnostics[0].code == "NN0603"
    assert legalize(graph, Target(provider="cuda")) is not None  # nobody has asked there


def test_the_kernels_are_those_of_this_onnxruntime() -> None:
    """`python docs/ops.py --probe` asks again."""
    assert kernels().version == onnxruntime.__version__


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("Max", "i16"), ("Where", "bool"), ("Tan", "f64"), ("Mul", "bf16"), ("TopK", "u64")],
)
def test_what_is_said_to_lack_is_not_opened(name: str, dtype: str) -> None:
    schema = onnx.defs.get_schema(name, 17)
    known = kernels().of("cpu", name, schema.since_version)
    assert known is not None
    has, lacks = known["T"]
    assert dtype in lacks.split()
    assert "f32" in has.split()
