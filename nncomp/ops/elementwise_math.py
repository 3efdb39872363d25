"""Functions of one tensor – powers, exponentials, rounding – and Pow."""

from __future__ import annotations

import math

from nncomp.ir.constant import Constant
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, Op, Vjp, operator
from nncomp.ops.comparison import Equal, Greater
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Div, Mul, Neg, Sub, require_number
from nncomp.ops.rules import broadcast, require_float
from nncomp.types import TensorType


@operator
class NumberFunction(Op):
    """Base of the functions on tensors of any number type."""

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        require_number(x)
        return TensorType(x.dtype, x.shape)


@operator
class FloatFunction(Op):
    """Base of the functions on floating tensors."""

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        return TensorType(x.dtype, x.shape)


@operator
class StepFunction(FloatFunction):
    """Base of the functions that are constant between steps: their gradient is zero."""

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class Abs(NumberFunction):
    """|X| (ONNX Abs-13); the gradient at 0 is 0."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Mul(), at.g, at.b(Sign(), at.x)),)


@operator
class Sign(NumberFunction):
    """-1, 0 or 1 (ONNX Sign-13)."""

    signature = "input -> output"

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class Sqrt(FloatFunction):
    """√X (ONNX Sqrt-13)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Div(), at.b(Mul(), at.g, 0.5), at.y),)


@operator
class Reciprocal(FloatFunction):
    """1 / X (ONNX Reciprocal-13)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        return (b(Neg(), b(Mul(), at.g, b(Mul(), at.y, at.y))),)


@operator
class Exp(FloatFunction):
    """e to the power X (ONNX Exp-13)."""

    signature = "input -> output"

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Mul(), at.g, at.y),)


@operator
class Log(FloatFunction):
    """Natural logarithm (ONNX Log-13)."""

    signature = "input -> output"

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Div(), at.g, at.x),)


@operator
class Erf(FloatFunction):
    """The error function, 2/√π ∫₀ˣ exp(-t²) dt (ONNX Erf-13)."""

    signature = "input -> output"

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        bell = b(Exp(), b(Neg(), b(Mul(), at.x, at.x)))
        return (b(Mul(), at.g, b(Mul(), bell, 2 / math.sqrt(math.pi))),)


@operator
class Floor(StepFunction):
    """The largest integer ≤ X (ONNX Floor-13)."""


@operator
class Ceil(StepFunction):
    """The smallest integer ≥ X (ONNX Ceil-13)."""


@operator
class Round(StepFunction):
    """The nearest integer, halves to the even one (ONNX Round-22)."""


def constant_number(value: Value | None) -> float | None:
    """The number that a constant of one element holds, None for anything else."""
    if value is None or value.node is None or not isinstance(value.node.op, Constant):
        return None
    array = value.node.op.value.array
    return float(array.item()) if array.size == 1 else None


@operator
class Pow(Op):
    """X to the power Y, in X's dtype (ONNX Pow-15)."""

    signature = "X, Y -> Z"

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        require_number(x, y)
        return TensorType(x.dtype, broadcast(x, y, verb="raise to a power"))

    def vjp(self, at: Vjp) -> Gradients:
        y = at.inputs[1]
        assert y is not None
        return self._wrt_base(at, y), self._wrt_exponent(at, y)

    def _wrt_base(self, at: Vjp, y: Value) -> Value | None:
        b, x, number = at.b, at.x, constant_number(y)
        if number == 0:
            return None
        exponent = y if y.type.dtype is x.type.dtype else b(Cast(x.type.dtype), y)
        if number == 2:  # also exact for x = 0
            return b(Mul(), at.g, b(Mul(), x, exponent))
        slope = b(Mul(), b(Pow(), x, b(Sub(), exponent, 1.0)), exponent)
        if number is None:  # 0 · 0⁻¹ is not 0
            zero = b.constant(0, x.type.dtype)
            slope = b(Where(), b(Equal(), exponent, 0.0), zero, slope)
        return b(Mul(), at.g, slope)

    def _wrt_exponent(self, at: Vjp, y: Value) -> Value | None:
        if not y.type.dtype.is_float or constant_number(y) is not None:
            return None
        b, x = at.b, at.x
        # z · ln x, taken as 0 where x ≤ 0, without a NaN that a second derivative would meet
        one = b.constant(1, x.type.dtype)
        log = b(Log(), b(Where(), b(Greater(), x, 0.0), x, one))
        slope = b(Mul(), at.g, b(Mul(), at.y, log))
        return slope if y.type.dtype is x.type.dtype else b(Cast(y.type.dtype), slope)


OPS: tuple[type[Op], ...] = (
    *(Abs, Sign, Sqrt, Reciprocal, Exp, Log, Erf),
    *(Floor, Ceil, Round, Pow),
)
