"""Integers that stand for real numbers: x = scale · (q - zero point).

All of it is spelt in casts, products and rounding. The numbers may be narrow: integers of 2 and 4
bits, floats of 4 and 8, which have no zero point but 0.
"""

from __future__ import annotations

from nncomp.dims import equal, floordiv
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Clip, Div, Max, Min, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Round
from nncomp.ops.forms import reshape, window
from nncomp.ops.reduction import ReduceMax, ReduceMin
from nncomp.ops.rules import (
    normalize_axis,
    numbered_dtype,
    require_equal,
    require_float,
    same_dtype,
)
from nncomp.ops.shape import Expand, Unsqueeze
from nncomp.types import NARROW, NARROW_FLOATS, DType, TensorType

BYTES = (DType.I8, DType.U8)
_SMALL = (*BYTES, DType.I16, DType.U16, *sorted(NARROW - {DType.F8E8M0}, key=str))


def require_among(t: TensorType | None, dtypes: tuple[DType, ...], what: str) -> None:
    if t is not None and t.dtype not in dtypes:
        names = ", ".join(map(str, dtypes))
        raise InferError("NN0203", f"{what} is one of {names}, not {t}")


@operator
class Scaled(Op):
    """Base of the two ways between numbers and integers.

    The scale and the zero point have one element, or one for each place along `axis`, or with a
    block_size one for each block of so many places along it, with all other axes as the operand.
    """

    axis: int = 1
    block_size: int = 0
    output_dtype: int = 0

    def check(self, x: TensorType, scale: TensorType, zero: TensorType | None) -> None:
        if scale.dtype is not DType.F8E8M0:
            require_float(scale)
        if self.block_size < 0:
            raise InferError("NN0208", f"block_size must not be {self.block_size}")
        single = scale.size == 1 and zero is not None and zero.size == 1  # a scalar or of rank 1
        if zero is not None and not single:
            for own, wanted in zip(zero.shape, scale.shape, strict=False):
                require_equal(own, wanted, f"the zero point {zero} is not shaped like {scale}")
            if zero.rank != scale.rank:
                raise InferError("NN0204", f"the zero point {zero} is not shaped like {scale}")
        if self.block_size:
            if scale.rank != x.rank:
                raise InferError("NN0204", f"scales of blocks have the rank of {x}, not {scale}")
            axis = normalize_axis(self.axis, x.rank)
            for place, (own, size) in enumerate(zip(scale.shape, x.shape, strict=True)):
                blocks = floordiv(size + self.block_size - 1, self.block_size)
                wanted = blocks if place == axis else size
                require_equal(own, wanted, f"the scales {scale} do not fit blocks of {x}")
        elif scale.rank == 1 and not equal(scale.shape[0], 1):
            size = x.shape[normalize_axis(self.axis, x.rank)]
            require_equal(scale.shape[0], size, f"{scale.shape[0]} scales do not fit {size} places")
        elif scale.rank > 1:
            raise InferError("NN0204", f"a scale is a scalar or a vector, not {scale}")

    def spread(self, b: Builder, x: Value, scale: Value) -> Value:
        """A scale or zero point shaped to broadcast with x."""
        if scale.rank == 0 or (not self.block_size and equal(scale.shape[0], 1)):
            return reshape(b, scale) if scale.rank else scale
        axis = normalize_axis(self.axis, x.rank)
        if not self.block_size:
            return reshape(b, scale, scale.shape[0], *(1,) * (x.rank - 1 - axis))
        before, blocks, after = scale.shape[:axis], scale.shape[axis], scale.shape[axis + 1 :]
        wide = b(Unsqueeze(), scale, b.ints(axis + 1))
        wide = b(Expand(), wide, b.dims((*before, blocks, self.block_size, *after)))
        whole = reshape(b, wide, *before, blocks * self.block_size, *after)
        return window(b, whole, [0], [x.shape[axis]], [axis])


@operator
class QuantizeLinear(Scaled):
    """round(x / y_scale) + y_zero_point, within the integers' range (ONNX QuantizeLinear-25);
    halves go to the even integer. See `Scaled`.

    output_dtype: ONNX's number of the dtype, if no zero point tells it; u8 if neither does
    precision: of the dtype that x is divided in; 0 for the scale's
    """

    signature = "x, y_scale, y_zero_point? -> y"
    takes = NARROW
    precision: int = 0
    saturate: int = 1

    def infer(self, x: TensorType, scale: TensorType, zero: TensorType | None = None) -> TensorType:
        if x.dtype is not DType.I32:
            require_float(x)
        self.check(x, scale, zero)
        return TensorType(self._dtype(zero), x.shape)

    def _dtype(self, zero: TensorType | None) -> DType:
        dtype = numbered_dtype(self.output_dtype, special=True) if self.output_dtype else DType.U8
        if zero is not None:
            if self.output_dtype and zero.dtype is not dtype:
                raise InferError("NN0203", f"output_dtype is {dtype}, the zero point is {zero}")
            dtype = zero.dtype
        require_among(TensorType(dtype, ()), _SMALL, "a quantised number")
        return dtype

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)

    def decompose(self, b: Builder, x: Value, scale: Value, zero: Value | None = None) -> Value:
        wide = scale.type.dtype
        if self.precision:
            wide = numbered_dtype(self.precision)
        elif wide is DType.F8E8M0:
            wide = DType.F32
        x, divisor = _cast(b, x, wide), self.spread(b, x, _cast(b, scale, wide))
        dtype = self._dtype(None if zero is None else zero.type)
        quotient = b(Div(), x, divisor)
        if zero is not None and dtype in NARROW:  # moved and spread in a dtype that operators take
            zero = b(Cast(wide), zero)
        place = None if zero is None else self.spread(b, x, zero)
        if dtype in NARROW_FLOATS:
            moved = quotient if place is None else b(Add(), quotient, place)
            return b(Cast(dtype, self.saturate), moved)
        return saturated(b, quotient, place, dtype)


def _cast(b: Builder, x: Value, dtype: DType) -> Value:
    return x if x.type.dtype is dtype else b(Cast(dtype), x)


def saturated(b: Builder, x: Value, zero: Value | None, dtype: DType) -> Value:
    """x rounded, on top of the zero point, within the dtype's range."""
    wide = DType.F32 if x.type.dtype in (DType.F16, DType.BF16) else x.type.dtype
    rounded = _cast(b, b(Round(), x), wide)
    if zero is not None:
        rounded = b(Add(), rounded, _cast(b, zero, wide))
    limits = [b.constant(int(end), wide) for end in dtype.limits]
    return b(Cast(dtype), b(Clip(), rounded, *limits))


@operator
class DequantizeLinear(Scaled):
    """(x - x_zero_point) · x_scale (ONNX DequantizeLinear-25); see `Scaled`.

    output_dtype: ONNX's number of the dtype; 0 for the scale's
    """

    signature = "x, x_scale, x_zero_point? -> y"
    takes = NARROW

    def infer(self, x: TensorType, scale: TensorType, zero: TensorType | None = None) -> TensorType:
        require_among(x, (*_SMALL, DType.I32), "a quantised number")
        same_dtype(x, zero)
        self.check(x, scale, zero)
        return require_float(TensorType(self._dtype(scale), x.shape))

    def _dtype(self, scale: TensorType) -> DType:
        return numbered_dtype(self.output_dtype) if self.output_dtype else scale.dtype

    def decompose(self, b: Builder, x: Value, scale: Value, zero: Value | None = None) -> Value:
        result = self._dtype(scale.type)
        own = result if scale.type.dtype is DType.F8E8M0 else scale.type.dtype
        number = b(Cast(own), x)
        if zero is not None:
            number = b(Sub(), number, self.spread(b, x, b(Cast(own), zero)))
        return _cast(b, b(Mul(), number, self.spread(b, x, _cast(b, scale, own))), result)


@operator
class DynamicQuantizeLinear(Op):
    """x as u8, with the scale and zero point that its range, with 0 in it, asks for
    (ONNX DynamicQuantizeLinear-11). The scale is taken as given: no gradient reaches x."""

    signature = "x -> y, y_scale, y_zero_point"

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType, TensorType]:
        if x.dtype is not DType.F32:
            raise InferError("NN0203", f"DynamicQuantizeLinear takes f32, not {x}")
        return TensorType(DType.U8, x.shape), TensorType(x.dtype, ()), TensorType(DType.U8, ())

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)

    def decompose(self, b: Builder, x: Value) -> tuple[Value, Value, Value]:
        zero = b.constant(0, x.type.dtype)
        high = b(Max(), b(ReduceMax(keepdims=0), x), zero)
        low = b(Min(), b(ReduceMin(keepdims=0), x), zero)
        scale = b(Div(), b(Sub(), high, low), 255.0)
        place = saturated(b, b(Div(), b(Neg(), low), scale), None, DType.U8)
        return saturated(b, b(Div(), x, scale), place, DType.U8), scale, place


OPS: tuple[type[Op], ...] = (QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear)
