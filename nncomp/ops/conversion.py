"""Operators that pass numbers on: identity, casts, selection, stopped gradients."""

from __future__ import annotations

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import GreaterOrEqual, Less, require_bool
from nncomp.ops.elements import converted
from nncomp.ops.rules import broadcast, require_one_of, same_dtype
from nncomp.types import BITS, NARROW, STRINGS, UNSIGNED, DType, TensorType


@operator
class Identity(Op):
    """X itself (ONNX Identity-25)."""

    signature = "input -> output"
    takes = NARROW | STRINGS
    containers = True

    def infer(self, x: TensorType) -> TensorType:
        return x

    def vjp(self, at: Vjp) -> Gradients:
        return (at.g,)


@operator
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


@operator
class Cast(Op):
    """X in another dtype (ONNX Cast-25).

    Floats become integers by dropping the fraction, bool by `!= 0`. `saturate` and `round_mode`
    concern 8-bit floats only.
    """

    signature = "input -> output"
    takes = NARROW | STRINGS
    to: DType
    saturate: int = 1
    round_mode: str = "up"

    def infer(self, x: TensorType) -> TensorType:
        require_one_of("round_mode", self.round_mode, ("up", "down", "nearest"))
        return converted(x, self.to)

    def vjp(self, at: Vjp) -> Gradients:
        source = at.x.type.dtype
        if not (source.is_float and self.to.is_float):
            return (None,)
        return (at.g if source is self.to else at.b(Cast(source), at.g),)


@operator
class CastLike(Op):
    """X in the dtype of target_type, whose contents do not matter (ONNX CastLike-25)."""

    signature = "input, target_type -> output"
    takes = NARROW | STRINGS
    saturate: int = 1
    round_mode: str = "up"

    def infer(self, x: TensorType, target: TensorType) -> TensorType:
        return self._cast(target).infer(x)

    def decompose(self, b: Builder, x: Value, target: Value) -> Value:
        return b(self._cast(target.type), x)

    def _cast(self, target: TensorType) -> Cast:
        return Cast(target.dtype, self.saturate, self.round_mode)


@operator
class BitCast(Op):
    """The bits of X taken for another dtype of the same size (ONNX BitCast-26)."""

    signature = "input -> output"
    takes = NARROW
    to: DType

    def infer(self, x: TensorType) -> TensorType:
        if _bits(x.dtype) != _bits(self.to) or self.to is DType.STRING:
            raise InferError("NN0203", f"the bits of {x} are no {self.to}")
        return TensorType(self.to, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


def _bits(dtype: DType) -> int:
    return BITS.get(dtype, 8 * dtype.size)


@operator
class Where(Op):
    """X where the condition holds, else Y, broadcast together (ONNX Where-16)."""

    signature = "condition, X, Y -> output"
    takes = STRINGS

    def infer(self, condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
        require_bool(condition)
        return TensorType(same_dtype(x, y), broadcast(condition, x, y, verb="select from"))

    def vjp(self, at: Vjp) -> Gradients:
        b, condition = at.b, at.inputs[0]
        zero = b.constant(0, at.g.type.dtype)  # not a product: 0 · inf is NaN
        return None, b(Where(), condition, at.g, zero), b(Where(), condition, zero, at.g)


@operator
class BitShift(Op):
    """X shifted by Y bits, "LEFT" or "RIGHT" (ONNX BitShift-28).

    A signed number keeps its sign on the way to the right. What is shifted by its width and more,
    or by less than nothing, is 0, or -1 for a negative number on the way to the right.
    """

    signature = "X, Y -> Z"
    direction: str

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        if self.direction not in ("LEFT", "RIGHT"):
            raise InferError("NN0208", f'direction is "LEFT" or "RIGHT", not "{self.direction}"')
        same_dtype(x, y)
        require_int(x)
        return TensorType(x.dtype, broadcast(x, y, verb="shift"))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None

    def decompose(self, b: Builder, x: Value, y: Value) -> Value:
        """By unsigned numbers of the same bits, of which alone opsets before 28 can say it."""
        own = x.type.dtype
        signed = own not in UNSIGNED
        free = DType(f"u{own.value[1:]}") if signed else own
        bits, zero = 8 * own.size, b.constant(0, own)
        bare, amount = b(Cast(free), x), b(Cast(free), y)
        far = b(GreaterOrEqual(), amount, b.constant(bits, free))  # below 0, too
        amount = b(Where(), far, b.constant(0, free), amount)
        moved = b(BitShift(self.direction), bare, amount)
        rest = zero
        if signed and self.direction == "RIGHT":
            # the complement of a negative number moved, and turned round again
            turned = b(BitShift("RIGHT"), b(BitwiseNot(), bare), amount)
            negative = b(Less(), x, zero)
            moved = b(Where(), negative, b(BitwiseNot(), turned), moved)
            rest = b(Where(), negative, b.constant(-1, own), zero)
        return b(Where(), far, rest, b(Cast(own), moved))


@operator
class Bitwise(Op):
    """Base of the bitwise operators on two integer tensors."""

    signature = "A, B -> C"

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        same_dtype(a, b)
        require_int(a)
        return TensorType(a.dtype, broadcast(a, b))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None


@operator
class BitwiseAnd(Bitwise):
    """A and B, bit by bit (ONNX BitwiseAnd-18)."""


@operator
class BitwiseOr(Bitwise):
    """A or B, bit by bit (ONNX BitwiseOr-18)."""


@operator
class BitwiseXor(Bitwise):
    """Either A or B, bit by bit (ONNX BitwiseXor-18)."""


@operator
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
