"""Operators that pass numbers on: identity, casts, selection, stopped gradients."""

from __future__ import annotations

from dataclasses import dataclass

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp
from nncomp.ops.comparison import require_bool
from nncomp.ops.elements import typed
from nncomp.ops.rules import broadcast, same_dtype
from nncomp.types import UNSIGNED, DType, TensorType


@dataclass(frozen=True)
class Identity(Op):
    """X itself (ONNX Identity-25)."""

    signature = "input -> output"

    def infer(self, x: TensorType) -> TensorType:
        return x

    def vjp(self, at: Vjp) -> Gradients:
        return (at.g,)


@dataclass(frozen=True)
class StopGradient(Op):
    """X itself, with the gradient zero."""

    signature = "X -> Y"
    domain = "nncomp"

    def infer(self, x: TensorType) -> TensorType:
        return x

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)

    def decompose(self, b: Builder, x: Value) -> Value:
        return b(Identity(), x)


@dataclass(frozen=True)
class Cast(Op):
    """X in another dtype (ONNX Cast-25).

    Floats become integers by dropping the fraction, bool by `!= 0`. `saturate` and `round_mode`
    concern 8-bit floats only.
    """

    signature = "input -> output"
    to: DType
    saturate: int = 1
    round_mode: str = "up"

    def infer(self, x: TensorType) -> TensorType:
        # what fits 31 bits survives every cast between i32 and i64; dims are taken to fit
        follow = {x.dtype, self.to} <= {DType.I32, DType.I64}
        return typed(self.to, x.shape, x.elements if follow else None)

    def vjp(self, at: Vjp) -> Gradients:
        source = at.x.type.dtype
        if not (source.is_float and self.to.is_float):
            return (None,)
        return (at.g if source is self.to else at.b(Cast(source), at.g),)


@dataclass(frozen=True)
class CastLike(Op):
    """X in the dtype of target_type, whose contents do not matter (ONNX CastLike-25)."""

    signature = "input, target_type -> output"
    saturate: int = 1
    round_mode: str = "up"

    def infer(self, x: TensorType, target: TensorType) -> TensorType:
        return self._cast(target).infer(x)

    def decompose(self, b: Builder, x: Value, target: Value) -> Value:
        return b(self._cast(target.type), x)

    def _cast(self, target: TensorType) -> Cast:
        return Cast(target.dtype, self.saturate, self.round_mode)


@dataclass(frozen=True)
class BitCast(Op):
    """The bits of X taken for another dtype of the same size (ONNX BitCast-26)."""

    signature = "input -> output"
    to: DType

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.size != self.to.size:
            raise InferError("NN0203", f"the bits of {x} are no {self.to}")
        return TensorType(self.to, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Where(Op):
    """X where the condition holds, else Y, broadcast together (ONNX Where-16)."""

    signature = "condition, X, Y -> output"

    def infer(self, condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
        require_bool(condition)
        return TensorType(same_dtype(x, y), broadcast(condition, x, y, verb="select from"))

    def vjp(self, at: Vjp) -> Gradients:
        b, condition = at.b, at.inputs[0]
        zero = b.constant(0, at.g.type.dtype)  # not a product: 0 · inf is NaN
        return None, b(Where(), condition, at.g, zero), b(Where(), condition, zero, at.g)


@dataclass(frozen=True)
class BitShift(Op):
    """X shifted by Y bits, "LEFT" or "RIGHT", on unsigned integers (ONNX BitShift-11)."""

    signature = "X, Y -> Z"
    direction: str

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        if self.direction not in ("LEFT", "RIGHT"):
            raise InferError("NN0208", f'direction is "LEFT" or "RIGHT", not "{self.direction}"')
        same_dtype(x, y)
        if x.dtype not in UNSIGNED:
            raise InferError("NN0203", f"BitShift takes unsigned integers, not {x}")
        return TensorType(x.dtype, broadcast(x, y, verb="shift"))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None


@dataclass(frozen=True)
class Bitwise(Op):
    """Base of the bitwise operators on two integer tensors."""

    signature = "A, B -> C"

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        same_dtype(a, b)
        require_int(a)
        return TensorType(a.dtype, broadcast(a, b))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None


@dataclass(frozen=True)
class BitwiseAnd(Bitwise):
    """A and B, bit by bit (ONNX BitwiseAnd-18)."""


@dataclass(frozen=True)
class BitwiseOr(Bitwise):
    """A or B, bit by bit (ONNX BitwiseOr-18)."""


@dataclass(frozen=True)
class BitwiseXor(Bitwise):
    """Either A or B, bit by bit (ONNX BitwiseXor-18)."""


@dataclass(frozen=True)
class BitwiseNot(Op):
    """The complement of X (ONNX BitwiseNot-18)."""

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        require_int(x)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


def require_int(t: TensorType) -> None:
    if not t.dtype.is_int:
        raise InferError("NN0203", f"an integer tensor is needed, this is {t}")


OPS: tuple[type[Op], ...] = (
    *(Identity, StopGradient, Cast, CastLike, BitCast, Where),
    *(BitShift, BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot),
)
