"""Trigonometric and hyperbolic functions and their inverses, of radians."""

from __future__ import annotations

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, Op, Vjp, operator
from nncomp.ops.elementwise import Add, Div, Mul, Neg, Sub
from nncomp.ops.elementwise_math import FloatFunction, Sqrt


@operator
class Function(FloatFunction):
    """Base of the functions here, whose operands ONNX calls by these names."""

    signature = "input -> output"


@operator
class Sin(Function):
    """Sine of radians (ONNX Sin-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Mul(), at.g, at.b(Cos(), at.x)),)


@operator
class Cos(Function):
    """Cosine of radians (ONNX Cos-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Neg(), at.b(Mul(), at.g, at.b(Sin(), at.x))),)


@operator
class Tan(Function):
    """Tangent of radians (ONNX Tan-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        return (b(Mul(), at.g, b(Add(), b(Mul(), at.y, at.y), 1.0)),)


@operator
class Asin(Function):
    """The angle in [-π/2, π/2] whose sine is X; NaN beyond [-1, 1] (ONNX Asin-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Div(), at.g, _leg(at.b, at.x)),)


@operator
class Acos(Function):
    """The angle in [0, π] whose cosine is X; NaN beyond [-1, 1] (ONNX Acos-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Neg(), at.b(Div(), at.g, _leg(at.b, at.x))),)


@operator
class Atan(Function):
    """The angle in (-π/2, π/2) whose tangent is X (ONNX Atan-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        return (b(Div(), at.g, b(Add(), b(Mul(), at.x, at.x), 1.0)),)


@operator
class Sinh(Function):
    """(exp(X) - exp(-X)) / 2 (ONNX Sinh-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Mul(), at.g, at.b(Cosh(), at.x)),)


@operator
class Cosh(Function):
    """(exp(X) + exp(-X)) / 2 (ONNX Cosh-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Mul(), at.g, at.b(Sinh(), at.x)),)


@operator
class Asinh(Function):
    """log(X + √(X² + 1)) (ONNX Asinh-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        return (b(Div(), at.g, b(Sqrt(), b(Add(), b(Mul(), at.x, at.x), 1.0))),)


@operator
class Acosh(Function):
    """log(X + √(X² - 1)); NaN below 1 (ONNX Acosh-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        # not √(X² - 1): near 1, where the slope is steep, the difference of squares would cancel
        root = b(Sqrt(), b(Mul(), b(Sub(), at.x, 1.0), b(Add(), at.x, 1.0)))
        return (b(Div(), at.g, root),)


@operator
class Atanh(Function):
    """log((1 + X) / (1 - X)) / 2; NaN beyond [-1, 1] (ONNX Atanh-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Div(), at.g, _complement(at.b, at.x)),)


def _leg(b: Builder, x: Value) -> Value:
    """√(1 - x²)."""
    return b(Sqrt(), _complement(b, x))


def _complement(b: Builder, x: Value) -> Value:
    """1 - x², without cancellation near ±1."""
    return b(Mul(), b(Sub(), 1.0, x), b(Add(), 1.0, x))


OPS: tuple[type[Op], ...] = (
    *(Sin, Cos, Tan, Asin, Acos, Atan),
    *(Sinh, Cosh, Asinh, Acosh, Atanh),
)
