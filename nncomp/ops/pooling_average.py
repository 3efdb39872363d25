"""Average pooling, pooling by norms, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncomp.dims import DimLike, equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops import conv_grad
from nncomp.ops.comparison import Equal
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.convolution import shape_operand
from nncomp.ops.elementwise import Div, Max, Min, Mul, Sub
from nncomp.ops.elementwise_math import Abs, Pow, Sign
from nncomp.ops.filling import Range
from nncomp.ops.forms import reshape
from nncomp.ops.pooling_base import Pool, divisors
from nncomp.ops.rules import require_float
from nncomp.ops.shape import Reshape
from nncomp.ops.windows import Window, out_of_range
from nncomp.types import DType, TensorType


@operator
class AveragePool(Pool):
    """The mean of each window (ONNX AveragePool-22).

    X: [N, C, spatial…], Y: [N, C, windows…]. Padding counts as zeros with count_include_pad, and
    does not count without; what ceil_mode reads beyond the padding never counts.
    """

    signature = "X -> Y"
    count_include_pad: int = 0

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(require_float(x).dtype, self.pooled(x))

    def vjp(self, at: Vjp) -> Gradients:
        gradient = AveragePoolGrad(
            **self.shared_attributes(), count_include_pad=self.count_include_pad
        )
        return (at.b(gradient, at.g, at.b.dims(at.x.shape)),)


@operator
class AveragePoolGrad(Pool):
    """The gradient of AveragePool's X: each dY divided evenly among its window.

    dY: [N, C, windows…], shape: i64 [N, C, spatial…] of dX
    """

    signature = "dY, shape -> dX"
    domain = "nncomp"
    count_include_pad: int = 0

    def infer(self, dy: TensorType, shape: TensorType) -> TensorType:
        dx = shape_operand(shape, dy.rank, require_float(dy))
        expected = self.pooled(dx)
        if any(equal(a, e) is False for a, e in zip(dy.shape, expected, strict=True)):
            raise InferError(
                "NN0205",
                f"the gradient {dy} is not of the result of pooling {dx}",
                label=f"that is {dy.with_shape(expected)}",
            )
        return dx

    def vjp(self, at: Vjp) -> Gradients:
        pool = AveragePool(**self.shared_attributes(), count_include_pad=self.count_include_pad)
        return at.b(pool, at.g), None

    def decompose(self, b: Builder, dy: Value, shape: Value) -> Value:
        """Quotients, spread by a transposed convolution with ones, every channel apart."""
        dims = shape.type.elements
        assert dims is not None
        windows = self.windows(dims)
        share = b(Div(), dy, _divisor(self, b, dy, windows))
        n, c, *sizes = dy.shape
        kernel = np.ones((1, 1, *self.kernel_shape), dy.type.dtype.numpy)
        share = reshape(b, share, n * c, 1, *sizes)
        dx = conv_grad.transposed_conv(b, share, b.constant(kernel), windows, 1)
        return b(Reshape(), dx, shape)


def _divisor(
    op: AveragePoolGrad,
    b: Builder,
    dy: Value,
    windows: Sequence[Window],
) -> Value:
    """How many elements each window averages, broadcast to dY."""
    dtype = dy.type.dtype
    unpadded = all((v.before, v.after) == (0, 0) for v in windows)
    if (op.count_include_pad and not op.ceil_mode) or unpadded:
        return b.constant(float(np.prod(op.kernel_shape)), dtype)
    return window_counts(b, windows, dtype, padding=bool(op.count_include_pad))


def window_counts(
    b: Builder, windows: Sequence[Window], dtype: DType, *, padding: bool = False
) -> Value:
    """How many elements (and padding) each window holds, broadcast to the windows."""
    edges = [d for v in windows for d in (v.size, v.before, v.after)]
    if all(isinstance(d, int) for d in edges):
        return b.constant(divisors(windows, padding).astype(dtype.numpy))
    counts = None
    for place, v in enumerate(windows):
        axis = b(Cast(dtype), _axis_counts(b, v, padding))
        axis = reshape(b, axis, v.outputs, *(1,) * (len(windows) - place - 1))
        counts = axis if counts is None else b(Mul(), counts, axis)
    assert counts is not None
    return counts


def _axis_counts(b: Builder, v: Window, padding: bool) -> Value:
    """`tap_counts` in the graph: the taps before the end less those before the beginning."""
    first = b.constant(0, DType.I64)
    numbers = b(Range(), first, reshape(b, b.dims([v.outputs])), b.constant(1, DType.I64))
    starts = b(Sub(), b(Mul(), numbers, v.stride), b.dims([v.before]))

    def taps_before(end: DimLike) -> Value:
        distance = b(Sub(), b.dims([end + v.dilation - 1]), starts)
        taps = b(Div(), distance, b.ints(v.dilation))
        return b(Min(), b(Max(), taps, b.ints(0)), b.dims([v.kernel]))

    if padding:
        return taps_before(v.size + v.after - v.overhang)
    return b(Max(), b(Sub(), taps_before(v.size), taps_before(0)), b.ints(1))


@operator
class LpPool(Pool):
    """(Σ |x|^p)^(1/p) over each window (ONNX LpPool-22)."""

    signature = "X -> Y"
    p: int = 2

    def infer(self, x: TensorType) -> TensorType:
        if self.p < 1:
            out_of_range(f"p={self.p} must be positive", "p=2 is the Euclidean norm")
        return TensorType(require_float(x).dtype, self.pooled(x))

    def vjp(self, at: Vjp) -> Gradients:
        """dX = sign(x) |x|^(p-1) · Σ over the windows of x of g y^(1-p), 0 where y is."""
        b, x, p = at.b, at.x, float(self.p)
        g = at.g
        if self.p > 1:
            y = b(Where(), b(Equal(), at.y, 0.0), b.constant(1, x.type.dtype), at.y)
            g = b(Mul(), g, b(Pow(), y, 1 - p))
        # a sum over windows is an average times the number of elements averaged
        g = b(Mul(), g, window_counts(b, self.windows(x.shape), x.type.dtype))
        spread = b(AveragePoolGrad(**self.shared_attributes()), g, b.dims(x.shape))
        slope = b(Sign(), x)
        if self.p > 1:
            slope = b(Mul(), slope, b(Pow(), b(Abs(), x), p - 1))
        return (b(Mul(), spread, slope),)


OPS: tuple[type[Op], ...] = (AveragePool, AveragePoolGrad, LpPool)
