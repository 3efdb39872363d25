"""Activation functions."""

from __future__ import annotations

import math

from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import And, Greater, Less
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul, Sub, require_number
from nncomp.ops.elementwise_math import Abs, Erf, Exp, FloatFunction, NumberFunction
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import (
    broadcast,
    normalize_axis,
    require_float,
    require_same_shape,
    same_dtype,
)
from nncomp.types import UNSIGNED, TensorType


@operator
class Relu(Op):
    """max(X, 0) (ONNX Relu-14); the gradient at 0 is 0."""

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        require_number(x)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(ReluGrad(), at.g, at.y),)


@operator
class ReluGrad(Op):
    """dY where Y > 0, else 0. Linear in dY, so it is its own derivative."""

    signature = "dY, Y -> dX"
    domain = "nncomp"

    def infer(self, dy: TensorType, y: TensorType) -> TensorType:
        require_float(dy)
        return TensorType(same_dtype(dy, y), broadcast(dy, y))

    def vjp(self, at: Vjp) -> Gradients:
        return at.b(ReluGrad(), at.g, at.inputs[1]), None

    def decompose(self, b: Builder, dy: Value, y: Value) -> Value:
        return b(Mul(), dy, b(Cast(dy.type.dtype), b(Greater(), y, 0.0)))


@operator
class Sigmoid(FloatFunction):
    """1 / (1 + exp(-X)) (ONNX Sigmoid-13)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        return (b(Mul(), at.g, b(Mul(), at.y, b(Sub(), 1.0, at.y))),)


@operator
class Tanh(FloatFunction):
    """Hyperbolic tangent (ONNX Tanh-13)."""

    signature = "input -> output"

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        return (b(Mul(), at.g, b(Sub(), 1.0, b(Mul(), at.y, at.y))),)


@operator
class LeakyRelu(FloatFunction):
    """X where X ≥ 0, else alpha · X (ONNX LeakyRelu-16)."""

    alpha: float = 0.01

    def vjp(self, at: Vjp) -> Gradients:
        return (_where_positive(at, at.g, at.b(Mul(), at.g, self.alpha)),)


@operator
class Elu(FloatFunction):
    """X where X > 0, else alpha · (exp(X) - 1) (ONNX Elu-22; Clevert et al., 2016)."""

    alpha: float = 1.0

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        return (_where_positive(at, at.g, b(Mul(), at.g, b(Add(), at.y, self.alpha))),)


@operator
class Selu(FloatFunction):
    """gamma · X where X > 0, else gamma · alpha · (exp(X) - 1) (ONNX Selu-22; Klambauer 2017)."""

    alpha: float = 1.6732631921768188
    gamma: float = 1.0507010221481323

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        below = b(Mul(), at.g, b(Add(), at.y, self.alpha * self.gamma))
        return (_where_positive(at, b(Mul(), at.g, self.gamma), below),)


@operator
class Celu(FloatFunction):
    """X where X > 0, else alpha · (exp(X / alpha) - 1) (ONNX Celu-28; Barron, 2017).

    alpha is positive: below 0 ONNX's formula and its function body disagree.
    """

    alpha: float = 1.0

    def infer(self, x: TensorType) -> TensorType:
        if self.alpha <= 0:
            raise InferError("NN0208", f"alpha of Celu must be positive, not {self.alpha}")
        return super().infer(x)

    def decompose(self, b: Builder, x: Value) -> Value:
        return b(Mul(), b(Elu(), b(Div(), x, self.alpha)), self.alpha)


@operator
class ThresholdedRelu(FloatFunction):
    """X where X > alpha, else 0 (ONNX ThresholdedRelu-22; Konda et al., 2014)."""

    alpha: float = 1.0

    def decompose(self, b: Builder, x: Value) -> Value:
        zero = b.constant(0, x.type.dtype)
        return b(Where(), b(Greater(), x, self.alpha), x, zero)


@operator
class Shrink(NumberFunction):
    """X + bias below -lambd, X - bias above lambd, 0 between (ONNX Shrink-9).

    On integers both are taken without their fraction.
    """

    signature = "input -> output"
    bias: float = 0.0
    lambd: float = 0.5

    def decompose(self, b: Builder, x: Value) -> Value:
        dtype, above = x.type.dtype, b(Greater(), x, self.lambd)
        outer = b(Where(), above, b(Sub(), x, self.bias), b.constant(0, dtype))
        if dtype in UNSIGNED:
            return outer
        return b(Where(), b(Less(), x, -self.lambd), b(Add(), x, self.bias), outer)


@operator
class PRelu(Op):
    """X where X ≥ 0, else slope · X; slope broadcasts to X's shape (ONNX PRelu-16; He 2015)."""

    signature = "X, slope -> Y"

    def infer(self, x: TensorType, slope: TensorType) -> TensorType:
        require_number(x)
        same_dtype(x, slope)
        shape = broadcast(x, slope, verb="apply PRelu to")
        if len(shape) != x.rank or not all(
            equal(result, own) for result, own in zip(shape, x.shape, strict=True)
        ):
            raise InferError("NN0207", f"the slope of PRelu, {slope}, does not broadcast to {x}")
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        b, slope = at.b, at.inputs[1]
        zero = b.constant(0, at.g.type.dtype)
        return (
            _where_positive(at, at.g, b(Mul(), at.g, slope)),
            _where_positive(at, zero, b(Mul(), at.g, at.x)),
        )


def _where_positive(at: Vjp, above: Value, below: Value) -> Value:
    return at.b(Where(), at.b(Greater(), at.x, 0.0), above, below)


@operator
class HardSigmoid(FloatFunction):
    """max(0, min(1, alpha · X + beta)) (ONNX HardSigmoid-22)."""

    alpha: float = 0.2
    beta: float = 0.5

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        inside = b(And(), b(Greater(), at.y, 0.0), b(Less(), at.y, 1.0))
        return (b(Mul(), at.g, b(Mul(), b(Cast(at.g.type.dtype), inside), self.alpha)),)


@operator
class HardSwish(FloatFunction):
    """X · max(0, min(1, X / 6 + 1/2)) (ONNX HardSwish-22; Howard et al., 2019)."""

    def decompose(self, b: Builder, x: Value) -> Value:
        return b(Mul(), x, b(HardSigmoid(alpha=1 / 6, beta=0.5), x))


@operator
class Softplus(FloatFunction):
    """log(1 + exp(X)) (ONNX Softplus-22)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Mul(), at.g, at.b(Sigmoid(), at.x)),)


@operator
class Softsign(FloatFunction):
    """X / (1 + |X|) (ONNX Softsign-22)."""

    signature = "input -> output"

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        root = b(Add(), b(Abs(), at.x), 1.0)
        return (b(Div(), at.g, b(Mul(), root, root)),)


@operator
class Gelu(FloatFunction):
    """X · Φ(X), Φ the normal distribution (ONNX Gelu-20; Hendrycks & Gimpel, 2016).

    approximate: "none", or "tanh" for Φ(X) ≈ (1 + tanh(√(2/π) · (X + 0.044715 · X³))) / 2
    """

    approximate: str = "none"

    def infer(self, x: TensorType) -> TensorType:
        if self.approximate not in ("none", "tanh"):
            raise InferError("NN0208", f'approximate is "none" or "tanh", not "{self.approximate}"')
        return super().infer(x)

    def decompose(self, b: Builder, x: Value) -> Value:
        half = b(Mul(), x, 0.5)
        if self.approximate == "tanh":
            cube = b(Mul(), b(Mul(), b(Mul(), x, x), x), 0.044715)
            bent = b(Tanh(), b(Mul(), b(Add(), x, cube), math.sqrt(2 / math.pi)))
        else:
            bent = b(Erf(), b(Mul(), x, math.sqrt(0.5)))
        return b(Mul(), half, b(Add(), bent, 1.0))


@operator
class Swish(FloatFunction):
    """X / (1 + exp(-alpha · X)) (ONNX Swish-24; Ramachandran et al., 2017)."""

    alpha: float = 1.0

    def decompose(self, b: Builder, x: Value) -> Value:
        inner = x if self.alpha == 1 else b(Mul(), x, self.alpha)
        return b(Mul(), x, b(Sigmoid(), inner))


@operator
class SwiGLU(Op):
    """Swish of A, times B, which has A's shape (ONNX SwiGLU-28; Shazeer, 2020)."""

    signature = "A, B -> Y"
    alpha: float = 1.0

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_float(a)
        same_dtype(a, b)
        require_same_shape(a, b)
        return TensorType(a.dtype, a.shape)

    def decompose(self, b: Builder, gate: Value, x: Value) -> Value:
        return b(Mul(), b(Swish(self.alpha), gate), x)


@operator
class Mish(FloatFunction):
    """X · tanh(log(1 + exp(X))) (ONNX Mish-22; Misra, 2019)."""

    def decompose(self, b: Builder, x: Value) -> Value:
        return b(Mul(), x, b(Tanh(), b(Softplus(), x)))


@operator
class AlongAxis(FloatFunction):
    """A function of all numbers along an axis."""

    signature = "input -> output"
    axis: int = -1

    def infer(self, x: TensorType) -> TensorType:
        normalize_axis(self.axis, x.rank)
        return super().infer(x)


@operator
class Softmax(AlongAxis):
    """exp(X) / Σ exp(X) along an axis (ONNX Softmax-13)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        total = b(ReduceSum(), b(Mul(), at.g, at.y), b.ints(self.axis))
        return (b(Mul(), at.y, b(Sub(), at.g, total)),)


@operator
class Hardmax(AlongAxis):
    """1 at the first of the largest elements along an axis, 0 elsewhere (ONNX Hardmax-13)."""

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class LogSoftmax(AlongAxis):
    """X - log Σ exp(X) along an axis (ONNX LogSoftmax-13)."""

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        total = b(ReduceSum(), at.g, b.ints(self.axis))
        return (b(Sub(), at.g, b(Mul(), b(Exp(), at.y), total)),)


OPS: tuple[type[Op], ...] = (
    *(Relu, ReluGrad, Sigmoid, Tanh, LeakyRelu, Elu, Selu, Celu, ThresholdedRelu, Shrink, PRelu),
    *(HardSigmoid, HardSwish, Softplus, Softsign, Gelu, Swish, SwiGLU, Mish),
    *(Softmax, Hardmax, LogSoftmax),
)
