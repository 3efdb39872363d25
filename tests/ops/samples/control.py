"""Samples of control flow. Their gradients are in tests/autodiff/test_control.py."""

from __future__ import annotations

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Value
from nncomp.ops.comparison import Less
from nncomp.ops.control import If, Loop, Scan
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.elementwise_math import Exp
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, scalar


def _value(name: str, *shape: int, dtype: DType = DType.F32) -> Value:
    return Value(TensorType(dtype, shape), name)


def _scan_body() -> Body:
    """h' = h · w + x, which is yielded, and so is x + x."""
    h, x, w = _value("h", 2), _value("x", 2), _value("w", 2)
    b = Builder()
    after = b(Add(), b(Mul(), h, w), x)
    outputs = {"h": after, "y": after, "z": b(Add(), x, x)}
    return Body("scan", (h, x, w), (), tuple(b.nodes), outputs, captures=1)


def _loop_body() -> Body:
    """i' = i + 1 while i' < n; x' = x + x."""
    step, going = _value("step", dtype=DType.I64), _value("going", dtype=DType.BOOL)
    i, x, n = _value("i", dtype=DType.I64), _value("x", 2), _value("n", dtype=DType.I64)
    b = Builder()
    following = b(Add(), i, b.constant(1, DType.I64))
    twice = b(Add(), x, x)
    outputs = {"going": b(Less(), following, n), "i": following, "x": twice}
    return Body("loop", (step, going, i, x, n), (), tuple(b.nodes), outputs, captures=1)


def _branch(*, exp: bool) -> Body:
    x = _value("x", 3)
    b = Builder()
    y = b(Exp(), x) if exp else x
    return Body("branch", (x,), (), tuple(b.nodes), {"y": y}, captures=1)


_BODY, _TRUE = _scan_body(), np.array(True)
_STATE, _SEQUENCE, _WEIGHT = normal(2), normal(5, 2), normal(2, seed=1)
_ALL = {"grad": False, "static": (0, 1, 2, 3, 4)}

SAMPLES = [
    Sample(Scan(_BODY, 1), _STATE, _SEQUENCE, _WEIGHT, **_ALL),
    Sample(
        Scan(_BODY, 1, (1,), (1,), (1, 0), (0, 1)),
        *(_STATE, normal(2, 5), _WEIGHT),
        **_ALL,
        id="axes and directions",
    ),
    Sample(Scan(_BODY, 1, (-1,), None, (-1, 0)), _STATE, normal(2, 5), _WEIGHT, **_ALL, id="-1"),
    Sample(Loop(_loop_body()), scalar(9), _TRUE, scalar(0), _STATE, scalar(4), **_ALL, known=()),
    Sample(
        Loop(_loop_body()),
        *(scalar(3), None, scalar(0), _STATE, scalar(9)),
        **_ALL,
        known=(),
        id="limit alone",
    ),
    Sample(If(_branch(exp=True), _branch(exp=False)), _TRUE, normal(3), **_ALL),
    Sample(If(_branch(exp=True), _branch(exp=False)), ~_TRUE, normal(3), **_ALL, id="else"),
]

_V2, _X52 = TensorType(DType.F32, (2,)), TensorType(DType.F32, (5, 2))
_V3 = TensorType(DType.F32, (3,))

FAILURES = [
    Failure(Scan(_BODY, 1), _V2, _X52, code="NN0702", words="3 values|2 are given"),
    Failure(Scan(_BODY, 1), _V3, _X52, _V2, code="NN0205", words="f32[3]|f32[2]"),
    Failure(Scan(_BODY, 1), _V2, _V2, _V2, code="NN0204", words="one axis more"),
    Failure(Scan(_BODY, 1), _V2, _X52, _V3, code="NN0205", words="operand 3"),
    Failure(
        If(_branch(exp=True), _branch(exp=False)), _V2, _V3, code="NN0201", words="bool[]|f32[2]"
    ),
]
