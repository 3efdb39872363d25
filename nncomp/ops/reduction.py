"""Reductions over axes, ArgMax, ArgMin and running sums and products.

The axes of a reduction are an operand; without it, or with an empty one, all axes are reduced –
or none with noop_with_empty_axes=1. They must be known while compiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from nncomp.dims import DimLike, maximum, minimum, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import Equal
from nncomp.ops.control_building import BACKWARD, FORWARD, Values, add_recurrence
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elements import folded
from nncomp.ops.elementwise import Div, Mul, Sub, require_number
from nncomp.ops.elementwise_math import Exp, Sign
from nncomp.ops.gradient import dim_as
from nncomp.ops.rules import known_ints, normalize_axis, require_float
from nncomp.ops.shape import Expand, Unsqueeze
from nncomp.types import DType, Shape, TensorType


def normalize_axes(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The axes counted from 0, ascending; InferError for one out of range or given twice."""
    found = tuple(sorted(normalize_axis(axis, rank) for axis in axes))
    if len(set(found)) != len(found):
        raise InferError("NN0210", f"an axis is given twice: {list(axes)}")
    return found


@operator
class Reduction(Op):
    """Base of the reductions over axes."""

    signature = "data, axes? -> reduced"
    keepdims: int = 1
    noop_with_empty_axes: int = 0

    def infer(self, x: TensorType, axes: TensorType | None = None) -> TensorType:
        self.check(x)
        reduced = self.axes(x, axes)
        if x.rank == 1 and reduced:
            return folded(self.of_sizes, x, self.shape(x, reduced))
        return TensorType(x.dtype, self.shape(x, reduced))

    @staticmethod
    def of_sizes(sizes: Sequence[DimLike]) -> DimLike | None:
        """What known contents, at least one, are reduced to; None where that is not known."""
        return None

    def check(self, x: TensorType) -> None:
        """InferError for a dtype that is not reduced."""
        require_number(x)

    def axes(self, x: TensorType, axes: TensorType | None) -> tuple[int, ...]:
        """The axes that are reduced, counted from 0, ascending."""
        given = known_ints(axes, "axes")
        if given:
            return normalize_axes(given, x.rank)
        return () if self.noop_with_empty_axes else tuple(range(x.rank))

    def shape(self, x: TensorType, axes: tuple[int, ...]) -> Shape:
        if self.keepdims:
            return tuple(1 if i in axes else d for i, d in enumerate(x.shape))
        return tuple(d for i, d in enumerate(x.shape) if i not in axes)

    def reduced_axes(self, at: Vjp) -> tuple[int, ...]:
        axes = at.inputs[1] if len(at.inputs) > 1 else None
        return self.axes(at.x.type, axes.type if axes is not None else None)

    def restored(self, at: Vjp, value: Value) -> Value:
        """A reduced value with its reduced axes of size 1, so that it broadcasts to the operand."""
        axes = self.reduced_axes(at)
        if self.keepdims or not axes:
            return value
        return at.b(Unsqueeze(), value, at.b.ints(*axes))

    def vjp(self, at: Vjp) -> Gradients:
        return self.slope(at, self.restored(at, at.g)), None

    def slope(self, at: Vjp, g: Value) -> Value:
        """The gradient of the operand, from the result's with the reduced axes of size 1."""
        raise NotImplementedError


@operator
class ReduceSum(Reduction):
    """Sum over axes (ONNX ReduceSum-13)."""

    @staticmethod
    def of_sizes(sizes: Sequence[DimLike]) -> DimLike:
        return sum(sizes)

    def slope(self, at: Vjp, g: Value) -> Value:
        return at.b(Expand(), g, at.b.dims(at.x.shape))


@operator
class ReduceMean(Reduction):
    """Mean over axes (ONNX ReduceMean-18); NaN over no elements."""

    def slope(self, at: Vjp, g: Value) -> Value:
        b = at.b
        count = product(at.x.shape[axis] for axis in self.reduced_axes(at))
        if count != 1:
            g = b(Div(), g, dim_as(b, count, g.type.dtype))
        return b(Expand(), g, b.dims(at.x.shape))


@operator
class ReduceExtremum(Reduction):
    """Base of ReduceMax and ReduceMin. Elements that tie share the gradient evenly."""

    def check(self, x: TensorType) -> None:
        pass  # bool has an order here since opset 20

    def slope(self, at: Vjp, g: Value) -> Value:
        b = at.b
        mask = b(Cast(g.type.dtype), b(Equal(), at.x, self.restored(at, at.y)))
        axes = self.reduced_axes(at)
        if not axes:
            return g
        count = b(ReduceSum(), mask, b.ints(*axes))
        return b(Mul(), b(Div(), g, count), mask)


@operator
class ReduceMax(ReduceExtremum):
    """Largest over axes (ONNX ReduceMax-20); the least number over no elements."""

    @staticmethod
    def of_sizes(sizes: Sequence[DimLike]) -> DimLike:
        return reduce(maximum, sizes)


@operator
class ReduceMin(ReduceExtremum):
    """Smallest over axes (ONNX ReduceMin-20); the greatest number over no elements."""

    @staticmethod
    def of_sizes(sizes: Sequence[DimLike]) -> DimLike:
        return reduce(minimum, sizes)


@operator
class ReduceProd(Reduction):
    """Product over axes (ONNX ReduceProd-18)."""

    @staticmethod
    def of_sizes(sizes: Sequence[DimLike]) -> DimLike:
        return product(sizes)

    def slope(self, at: Vjp, g: Value) -> Value:
        """The product of the others: of all that are not 0, where no other element is 0."""
        b, x, dtype = at.b, at.x, g.type.dtype
        axes = self.reduced_axes(at)
        if not axes:
            return g
        is_zero = b(Equal(), x, 0.0)
        nonzero = b(Where(), is_zero, b.constant(1, dtype), x)
        zero = b(Cast(dtype), is_zero)
        other_zeros = b(Sub(), b(ReduceSum(), zero, b.ints(*axes)), zero)
        others = b(Div(), b(ReduceProd(), nonzero, b.ints(*axes)), nonzero)
        counts = b(Cast(dtype), b(Equal(), other_zeros, 0.0))
        return b(Mul(), g, b(Mul(), others, counts))


@operator
class ReduceSumSquare(Reduction):
    """Σ X² over axes (ONNX ReduceSumSquare-18)."""

    def slope(self, at: Vjp, g: Value) -> Value:
        return at.b(Mul(), at.b(Mul(), g, 2.0), at.x)


@operator
class ReduceL1(Reduction):
    """Σ |X| over axes (ONNX ReduceL1-18)."""

    def slope(self, at: Vjp, g: Value) -> Value:
        return at.b(Mul(), g, at.b(Sign(), at.x))


@operator
class ReduceL2(Reduction):
    """√Σ X² over axes (ONNX ReduceL2-18); its gradient at 0 is 0."""

    def slope(self, at: Vjp, g: Value) -> Value:
        b, y = at.b, self.restored(at, at.y)
        is_zero = b(Equal(), y, 0.0)
        length = b(Where(), is_zero, b.constant(1, y.type.dtype), y)
        return b(Mul(), b(Div(), g, length), at.x)


@operator
class FloatReduction(Reduction):
    """Base of the reductions of floating tensors."""

    def check(self, x: TensorType) -> None:
        require_float(x)


@operator
class ReduceLogSum(FloatReduction):
    """log Σ X over axes (ONNX ReduceLogSum-18)."""

    def slope(self, at: Vjp, g: Value) -> Value:
        b = at.b
        axes = self.reduced_axes(at)
        total = b(ReduceSum(), at.x, b.ints(*axes)) if axes else at.x
        return b(Expand(), b(Div(), g, total), b.dims(at.x.shape))


@operator
class ReduceLogSumExp(FloatReduction):
    """log Σ exp(X) over axes, without overflow (ONNX ReduceLogSumExp-18)."""

    def slope(self, at: Vjp, g: Value) -> Value:
        b = at.b
        return b(Mul(), g, b(Exp(), b(Sub(), at.x, self.restored(at, at.y))))


@operator
class ArgExtremum(Op):
    """Base of ArgMax and ArgMin: i64 places along one axis, of the first or last that ties."""

    signature = "data -> reduced"
    axis: int = 0
    keepdims: int = 1
    select_last_index: int = 0

    def infer(self, x: TensorType) -> TensorType:
        require_number(x)
        axis = normalize_axis(self.axis, x.rank)
        middle = (1,) if self.keepdims else ()
        return TensorType(DType.I64, (*x.shape[:axis], *middle, *x.shape[axis + 1 :]))

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class ArgMax(ArgExtremum):
    """The place of the largest element along an axis (ONNX ArgMax-13)."""


@operator
class ArgMin(ArgExtremum):
    """The place of the smallest element along an axis (ONNX ArgMin-13)."""


@operator
class CumSum(Op):
    """Running sum along an axis (ONNX CumSum-14).

    exclusive: each element is the sum of those before it; reverse: from the end
    """

    signature = "x, axis -> y"
    exclusive: int = 0
    reverse: int = 0

    def infer(self, x: TensorType, axis: TensorType) -> TensorType:
        require_number(x)
        if not axis.dtype.is_int or axis.size != 1:
            raise InferError("NN0204", f"axis of CumSum is an integer scalar, this is {axis}")
        for place in axis.elements or ():
            if isinstance(place, int):
                normalize_axis(place, x.rank)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        mirrored = CumSum(exclusive=self.exclusive, reverse=1 - self.reverse)
        return at.b(mirrored, at.g, at.inputs[1]), None


@operator
class CumProd(Op):
    """Running product along an axis, which must be known (ONNX CumProd-26).

    exclusive: each element is the product of those before it; reverse: from the end
    """

    signature = "x, axis -> y"
    exclusive: int = 0
    reverse: int = 0

    def infer(self, x: TensorType, axis: TensorType) -> TensorType:
        require_number(x)
        self._axis(x, axis)
        return TensorType(x.dtype, x.shape)

    def _axis(self, x: TensorType, axis: TensorType) -> int:
        places = known_ints(axis, "the axis of CumProd")
        if places is None or len(places) != 1:
            raise InferError("NN0204", f"axis of CumProd is an integer scalar, this is {axis}")
        return normalize_axis(places[0], x.rank)

    def decompose(self, b: Builder, x: Value, axis: Value) -> Value:
        """Factor by factor, so that the gradient needs no division, which zeros forbid."""
        place = self._axis(x.type, axis.type)

        def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
            after = b(Mul(), states[0], slices[0])
            return [after], [states[0] if self.exclusive else after]

        rest = (*x.shape[:place], *x.shape[place + 1 :])
        first = b(Expand(), b.constant(1, x.type.dtype), b.dims(rest))
        direction = BACKWARD if self.reverse else FORWARD
        found = add_recurrence(b, step, [first], [x], axis=place, direction=direction)
        return found[1]


OPS: tuple[type[Op], ...] = (
    *(ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceSumSquare),
    *(ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ArgMax, ArgMin, CumSum, CumProd),
)
