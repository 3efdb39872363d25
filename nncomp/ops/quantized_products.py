"""Products and convolutions of quantised numbers."""

from __future__ import annotations

from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.conv import Conv
from nncomp.ops.conversion import Cast
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.forms import per_channel, reshape
from nncomp.ops.linear import MatMul
from nncomp.ops.quantization import BYTES, require_among, saturated
from nncomp.ops.rules import require_equal, require_float, same_dtype
from nncomp.ops.shape import Unsqueeze
from nncomp.types import DType, TensorType


@operator
class MatMulInteger(Op):
    """(A - a_zero_point) · (B - b_zero_point) of 8-bit integers in i32 (ONNX MatMulInteger-10).

    a_zero_point: one, or one for each row of A; b_zero_point: one, or one for each column of B
    """

    signature = "A, B, a_zero_point?, b_zero_point? -> Y"

    def infer(
        self,
        a: TensorType,
        b: TensorType,
        a_zero: TensorType | None = None,
        b_zero: TensorType | None = None,
    ) -> TensorType:
        for t in (a, b, a_zero, b_zero):
            require_among(t, BYTES, "an operand of MatMulInteger")
        same_dtype(a, a_zero)
        same_dtype(b, b_zero)
        wide = MatMul().infer(a.with_dtype(DType.I32), b.with_dtype(DType.I32))
        return TensorType(DType.I32, wide.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)

    def decompose(
        self,
        b: Builder,
        left: Value,
        right: Value,
        left_zero: Value | None = None,
        right_zero: Value | None = None,
    ) -> Value:
        if left_zero is not None and left_zero.rank == 1 and not equal(left_zero.shape[0], 1):
            left_zero = b(Unsqueeze(), left_zero, b.ints(1))
        return b(MatMul(), _shifted(b, left, left_zero), _shifted(b, right, right_zero))


def _shifted(b: Builder, x: Value, zero: Value | None) -> Value:
    """x - zero in i32."""
    wide = b(Cast(DType.I32), x)
    return wide if zero is None else b(Sub(), wide, b(Cast(DType.I32), zero))


@operator
class QLinearMatMul(Op):
    """The matrix product of dequantised operands, quantised (ONNX QLinearMatMul-21); scales and
    zero points as for MatMulInteger."""

    signature = "a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point -> y"

    def infer(
        self,
        a: TensorType,
        a_scale: TensorType,
        a_zero: TensorType,
        b: TensorType,
        b_scale: TensorType,
        b_zero: TensorType,
        y_scale: TensorType,
        y_zero: TensorType,
    ) -> TensorType:
        same_dtype(a_scale, b_scale, require_float(y_scale))
        require_among(y_zero, BYTES, "the result's zero point")
        product = MatMulInteger().infer(a, b, a_zero, b_zero)
        return TensorType(y_zero.dtype, product.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)

    def decompose(
        self,
        b: Builder,
        x: Value,
        x_scale: Value,
        x_zero: Value,
        y: Value,
        y_scale: Value,
        y_zero: Value,
        scale: Value,
        zero: Value,
    ) -> Value:
        total = b(MatMulInteger(), x, y, x_zero, y_zero)
        if x_scale.rank == 1 and not equal(x_scale.shape[0], 1):
            x_scale = b(Unsqueeze(), x_scale, b.ints(1))
        factor = b(Div(), b(Mul(), x_scale, y_scale), scale)
        result = b(Mul(), b(Cast(factor.type.dtype), total), factor)
        return saturated(b, result, zero, zero.type.dtype)


@operator
class ConvInteger(Convolution):
    """Conv of x - x_zero_point and w - w_zero_point, 8-bit integers, in i32 (ONNX ConvInteger-10).

    w_zero_point: one, or one for each channel of the result
    """

    signature = "x, w, x_zero_point?, w_zero_point? -> y"

    def infer(
        self,
        x: TensorType,
        w: TensorType,
        x_zero: TensorType | None = None,
        w_zero: TensorType | None = None,
    ) -> TensorType:
        for t in (x, w, x_zero, w_zero):
            require_among(t, BYTES, "an operand of ConvInteger")
        same_dtype(x, x_zero)
        same_dtype(w, w_zero)
        wide = self.infer_forward(x.with_dtype(DType.F64), w.with_dtype(DType.F64))
        return TensorType(DType.I32, wide.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)

    def decompose(
        self,
        b: Builder,
        x: Value,
        w: Value,
        x_zero: Value | None = None,
        w_zero: Value | None = None,
    ) -> Value:
        if w_zero is not None and w_zero.rank == 1 and not equal(w_zero.shape[0], 1):
            w_zero = reshape(b, w_zero, w_zero.shape[0], *(1,) * (w.rank - 1))
        conv = Conv(
            self.auto_pad, self.dilations, self.group, self.kernel_shape, self.pads, self.strides
        )
        # exact: the sums of products of bytes are far below 2⁵³
        parts = (b(Cast(DType.F64), _shifted(b, *pair)) for pair in ((x, x_zero), (w, w_zero)))
        return b(Cast(DType.I32), b(conv, *parts))


@operator
class QLinearConv(Convolution):
    """Conv of dequantised operands, quantised (ONNX QLinearConv-10).

    w_scale, w_zero_point: one, or one for each channel of the result; B: i32, in units of x_scale ·
    w_scale
    """

    signature = "x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B? -> y"

    def infer(
        self,
        x: TensorType,
        x_scale: TensorType,
        x_zero: TensorType,
        w: TensorType,
        w_scale: TensorType,
        w_zero: TensorType,
        y_scale: TensorType,
        y_zero: TensorType,
        bias: TensorType | None = None,
    ) -> TensorType:
        same_dtype(x_scale, w_scale, require_float(y_scale))
        require_among(y_zero, BYTES, "the result's zero point")
        shape = self._integer().infer(x, w, x_zero, w_zero).shape
        if bias is not None:
            require_among(bias, (DType.I32,), "the bias of QLinearConv")
            message = f"the bias {bias} does not fit {shape[1]} channels"
            if bias.rank != 1:
                raise InferError("NN0204", message, operand=8)
            require_equal(bias.shape[0], shape[1], message)
        return TensorType(y_zero.dtype, shape)

    def _integer(self) -> ConvInteger:
        return ConvInteger(
            self.auto_pad, self.dilations, self.group, self.kernel_shape, self.pads, self.strides
        )

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)

    def decompose(
        self,
        b: Builder,
        x: Value,
        x_scale: Value,
        x_zero: Value,
        w: Value,
        w_scale: Value,
        w_zero: Value,
        scale: Value,
        zero: Value,
        bias: Value | None = None,
    ) -> Value:
        total = b(self._integer(), x, w, x_zero, w_zero)
        if bias is not None:
            total = b(Add(), total, per_channel(b, bias, total.rank))
        if w_scale.rank == 1 and not equal(w_scale.shape[0], 1):
            w_scale = per_channel(b, w_scale, total.rank)
        factor = b(Div(), b(Mul(), x_scale, w_scale), scale)
        result = b(Mul(), b(Cast(factor.type.dtype), total), factor)
        return saturated(b, result, zero, zero.type.dtype)


OPS: tuple[type[Op], ...] = (MatMulInteger, QLinearMatMul, ConvInteger, QLinearConv)
