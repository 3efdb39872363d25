"""Arithmetic on tensors that broadcast together, as in NumPy."""

from __future__ import annotations

from typing import ClassVar

from nncomp import dims
from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import And, Equal, Greater, Less, Not, Xor
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elements import truncated_quotient, zipped
from nncomp.ops.rules import broadcast, require_float, same_dtype
from nncomp.types import DType, TensorType


def require_number(*types: TensorType) -> None:
    """An error for bool tensors, which have no arithmetic in ONNX."""
    for t in types:
        if t.dtype is DType.BOOL:
            raise InferError(
                "NN0203",
                f"a tensor of numbers is needed, this is {t}",
                help="convert it with `cast`",
            )


@operator
class Binary(Op):
    """Base of the operators on two tensors of one dtype."""

    signature = "A, B -> C"
    verb: ClassVar[str]

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_number(a, b)
        same_dtype(a, b)
        return zipped(type(self).combine, a, b, broadcast(a, b, verb=self.verb))

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike | None:
        """The operator on dims, for shape arithmetic; None if the answer is not known."""
        return None


@operator
class Add(Binary):
    """A + B (ONNX Add-14); unsigned integers wrap."""

    verb = "add"

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike | None:
        return a + b

    def vjp(self, at: Vjp) -> Gradients:
        return at.g, at.g


@operator
class Sub(Binary):
    """A - B (ONNX Sub-14); unsigned integers wrap."""

    verb = "subtract"

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike | None:
        return a - b

    def vjp(self, at: Vjp) -> Gradients:
        return at.g, at.b(Neg(), at.g)


@operator
class Mul(Binary):
    """A · B (ONNX Mul-14); unsigned integers wrap."""

    verb = "multiply"

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike | None:
        return a * b

    def vjp(self, at: Vjp) -> Gradients:
        x, y = at.inputs
        return at.b(Mul(), at.g, y), at.b(Mul(), at.g, x)


@operator
class Div(Binary):
    """A / B (ONNX Div-14); on integers rounded towards zero."""

    verb = "divide"

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike | None:
        return truncated_quotient(a, b)

    def vjp(self, at: Vjp) -> Gradients:
        da = at.b(Div(), at.g, at.inputs[1])
        return da, at.b(Neg(), at.b(Mul(), da, at.y))


@operator
class Mod(Binary):
    """A mod B (ONNX Mod-28). Its sign is the divisor's; with fmod=1 the dividend's, as C's fmod."""

    verb = "divide"
    fmod: int = 0

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        result = super().infer(a, b)
        return TensorType(result.dtype, result.shape) if self.fmod else result

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike | None:
        return None if b == 0 else dims.mod(a, b)

    def vjp(self, at: Vjp) -> Gradients:
        b, (x, y) = at.b, at.inputs
        minus_quotient = b(Div(), b(Sub(), at.y, x), y)  # y = x - trunc(x / y) * y, or floor
        return at.g, b(Mul(), at.g, minus_quotient)

    def decompose(self, b: Builder, x: Value, y: Value) -> Value:
        """By the dividend's sign; of floats, opsets before 28 know no other."""
        rest = b(Mod(fmod=1), x, y)
        if self.fmod:
            return rest
        zero = b.constant(0, x.type.dtype)
        other = b(Xor(), b(Less(), rest, zero), b(Less(), y, zero))
        other = b(And(), other, b(Not(), b(Equal(), rest, zero)))
        return b(Where(), other, b(Add(), rest, y), rest)


@operator
class Neg(Op):
    """-X (ONNX Neg-13)."""

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        require_number(x)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Neg(), at.g),)


@operator
class Extremum(Op):
    """Base of Min and Max. Operands that tie share the gradient evenly."""

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike:
        """The operator on dims."""
        raise NotImplementedError

    def infer(self, first: TensorType, *others: TensorType) -> TensorType:
        require_number(first, *others)
        same_dtype(first, *others)
        shape = broadcast(first, *others)
        if len(others) == 1:
            return zipped(type(self).combine, first, others[0], shape)
        return TensorType(first.dtype, shape)

    def vjp(self, at: Vjp) -> Gradients:
        if len(at.inputs) == 1:
            return (at.g,)
        b, dtype = at.b, at.g.type.dtype
        masks = [b(Cast(dtype), b(Equal(), x, at.y)) for x in at.inputs]
        count = masks[0]
        for mask in masks[1:]:
            count = b(Add(), count, mask)
        share = b(Div(), at.g, count)
        return [b(Mul(), share, mask) for mask in masks]


@operator
class Min(Extremum):
    """The smallest of the operands, elementwise (ONNX Min-13); NaN if one is NaN."""

    signature = "data_0* -> min"

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike:
        return dims.minimum(a, b)


@operator
class Max(Extremum):
    """The largest of the operands, elementwise (ONNX Max-13); NaN if one is NaN."""

    signature = "data_0* -> max"

    @staticmethod
    def combine(a: DimLike, b: DimLike) -> DimLike:
        return dims.maximum(a, b)


@operator
class Sum(Op):
    """The sum of all operands (ONNX Sum-13)."""

    signature = "data_0* -> sum"

    def infer(self, first: TensorType, *others: TensorType) -> TensorType:
        require_float(first)
        return TensorType(same_dtype(first, *others), broadcast(first, *others, verb="add"))

    def vjp(self, at: Vjp) -> Gradients:
        return [at.g] * len(at.inputs)


@operator
class Mean(Op):
    """The mean of all operands (ONNX Mean-13)."""

    signature = "data_0* -> mean"

    def infer(self, first: TensorType, *others: TensorType) -> TensorType:
        require_float(first)
        return TensorType(same_dtype(first, *others), broadcast(first, *others, verb="average"))

    def vjp(self, at: Vjp) -> Gradients:
        return [at.b(Div(), at.g, float(len(at.inputs)))] * len(at.inputs)


@operator
class Clip(Op):
    """max(min, …) then min(max, …), with rank-0 bounds, each optional (ONNX Clip-13).

    The gradient passes on the bounds too.
    """

    signature = "input, min?, max? -> output"

    def infer(
        self, x: TensorType, low: TensorType | None = None, high: TensorType | None = None
    ) -> TensorType:
        require_number(x)
        same_dtype(x, low, high)
        for bound in (low, high):
            if bound is not None and bound.rank != 0:
                raise InferError("NN0204", f"a bound of Clip has rank 0, this is {bound}")
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        b, dtype = at.b, at.g.type.dtype

        def passed(mask: Value) -> Value:
            return b(Mul(), at.g, b(Cast(dtype), mask))

        low, high = (*at.inputs[1:], None, None)[:2]
        return [
            passed(b(Equal(), at.x, at.y)),
            passed(b(Less(), at.x, low)) if low is not None else None,
            passed(b(Greater(), at.x, high)) if high is not None else None,
        ][: len(at.inputs)]


OPS: tuple[type[Op], ...] = (Add, Sub, Mul, Div, Mod, Neg, Min, Max, Sum, Mean, Clip)
