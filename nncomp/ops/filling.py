"""Operators that make tensors from sizes and numbers."""

from __future__ import annotations

import math

from nncomp.dims import DimLike, floordiv, maximum, new_dim, product
from nncomp.ir.constant import MAX_ELEMENTS
from nncomp.ir.op import Data, Gradients, InferError, Op, Vjp, operator
from nncomp.ops.elements import typed
from nncomp.ops.rules import require_rank, same_dtype
from nncomp.types import DType, Shape, TensorType


def shape_operand(t: TensorType, what: str) -> Shape:
    """The contents of a shape operand: an i64 vector of dims that must be known."""
    _require_vector(t, what)
    if t.elements is None:
        raise InferError("NN0212", f"{what} must be known while compiling")
    return t.elements


def measured_shape(t: TensorType, what: str) -> Shape:
    """The contents of a shape operand; where they are not known, dims that each run measures, as
    many as the vector has, which must be known."""
    _require_vector(t, what)
    if t.elements is not None:
        return t.elements
    if not isinstance(t.shape[0], int):
        raise InferError("NN0212", f"how many sizes {what} has must be known while compiling")
    return tuple(new_dim("size", 0) for _ in range(t.shape[0]))


def _require_vector(t: TensorType, what: str) -> None:
    require_rank(t, 1, what)
    if t.dtype is not DType.I64:
        raise InferError("NN0203", f"{what} is an i64 vector, this is {t}")


@operator
class ConstantOfShape(Op):
    """One number in every element; f32 zeros without `value` (ONNX ConstantOfShape-25)."""

    signature = "input -> output"
    open_sizes = True
    value: Data | None = None

    def infer(self, shape: TensorType) -> TensorType:
        dims = measured_shape(shape, "the shape")
        if any(isinstance(d, int) and d < 0 for d in dims):
            raise InferError("NN0205", f"a shape has no negative sizes: {list(dims)}")
        if self.value is None:
            return TensorType(DType.F32, dims)
        array = self.value.array
        if array.size != 1:
            raise InferError("NN0208", f"value has one element, not {array.size}")
        dtype, count = DType.of(array), product(dims)
        elements = None
        if dtype.is_int and isinstance(count, int) and count <= MAX_ELEMENTS:
            elements = (int(array.item()),) * count
        return typed(dtype, dims, elements)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class Range(Op):
    """start, start + delta, … below limit (above it for a negative delta) (ONNX Range-11).

    The size follows from integer operands that are known as dims, or from floating constants; else
    each run measures it.
    """

    signature = "start, limit, delta -> output"
    open_sizes = True

    def infer(self, start: TensorType, limit: TensorType, delta: TensorType) -> TensorType:
        dtype = same_dtype(start, limit, delta)
        for t, what in ((start, "start"), (limit, "limit"), (delta, "delta")):
            if t.size != 1:
                raise InferError("NN0204", f"{what} of Range is a scalar, this is {t}")
        if dtype.is_float:
            return TensorType(dtype, (self._count(start, limit, delta),))
        if start.elements is None or limit.elements is None or delta.elements is None:
            return TensorType(dtype, (new_dim("range", 0),))
        first, last, step = *start.elements, *limit.elements, *delta.elements
        if step == 0:
            raise InferError("NN0208", "delta of Range must not be 0")
        count = maximum(0, -floordiv(first - last, step))
        elements = None
        if isinstance(count, int) and count <= MAX_ELEMENTS:
            elements = tuple(first + i * step for i in range(count))
        return typed(dtype, (count,), elements)

    @staticmethod
    def _count(start: TensorType, limit: TensorType, delta: TensorType) -> DimLike:
        if start.floats is None or limit.floats is None or delta.floats is None:
            return new_dim("range", 0)
        first, last, step = *start.floats, *limit.floats, *delta.floats
        if step == 0:
            raise InferError("NN0208", "delta of Range must not be 0")
        steps = (last - first) / step
        return max(0, math.ceil(steps))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None, None


OPS: tuple[type[Op], ...] = (ConstantOfShape, Range)
