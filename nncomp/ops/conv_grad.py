"""The gradients of convolution. Conv is bilinear, so each is the other two's gradient as well."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import DimLike, equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops import conv  # which in turn needs the classes here, once rules run
from nncomp.ops.convolution import (
    Convolution,
    check_weights,
    require_groups,
    shape_operand,
    with_explicit_pads,
)
from nncomp.ops.forms import reshape, swap_batch, transpose, window
from nncomp.ops.rules import require_float, same_dtype
from nncomp.ops.shape_slicing import Pad
from nncomp.ops.windows import Window, require_same, require_spatial, static_pads
from nncomp.types import TensorType


@operator
class ConvInputGrad(Convolution):
    """The gradient of Conv's X: dX[n, c, stride·p + dilation·k - pad] += dY[n, m, p] W[m, c, k].

    dY: [N, M, spatial…], W: [M, C / group, kernel…], shape: i64 [N, C, spatial…] of dX
    """

    signature = "dY, W, shape -> dX"
    domain = "nncomp"

    def infer(self, dy: TensorType, w: TensorType, shape: TensorType) -> TensorType:
        spatial = require_spatial(dy, "a convolution's gradient")
        check_weights(self, w, spatial)
        dx = shape_operand(shape, dy.rank, require_float(dy))
        same_dtype(dy, w)
        require_groups(w.shape[0], self.group, "output", operand=1)
        _require_consistent(self, dx, w, dy)
        return dx

    def vjp(self, at: Vjp) -> Gradients:
        dy, w = at.inputs[:2]
        assert dy is not None
        assert w is not None
        windows = self.windows(at.g.shape, w.shape)
        weights = with_explicit_pads(ConvWeightGrad, self, windows)
        return (
            at.b(with_explicit_pads(conv.Conv, self, windows), at.g, w),
            at.b(weights, at.g, dy, at.b.dims(w.shape)),
            None,
        )

    def decompose(self, b: Builder, dy: Value, w: Value, shape: Value) -> Value:
        assert shape.type.elements is not None
        windows = self.windows(shape.type.elements, w.shape)
        return transposed_conv(b, dy, w, windows, self.group)


def transposed_conv(
    b: Builder, dy: Value, w: Value, windows: Sequence[Window], group: int
) -> Value:
    """ConvInputGrad as a ConvTranspose, cropped where its size depends on symbolic dims."""
    strides = tuple(v.stride for v in windows)
    dilations = tuple(v.dilation for v in windows)
    pads = static_pads(windows)
    rests = tuple(r for v in windows if isinstance(r := v.rest, int))
    if pads is not None and len(rests) == len(windows):
        op = conv.ConvTranspose(
            dilations=dilations, group=group, pads=pads, strides=strides, output_padding=rests
        )
        return b(op, dy, w)
    # stride - 1 elements more than the last window covers are enough for every rest
    op = conv.ConvTranspose(
        dilations=dilations,
        group=group,
        pads=pads,
        strides=strides,
        output_padding=tuple(s - 1 for s in strides),
    )
    begins = [v.before if pads is None else 0 for v in windows]
    axes = range(2, 2 + len(windows))
    return window(b, b(op, dy, w), begins, [v.size for v in windows], axes)


@operator
class ConvWeightGrad(Convolution):
    """The gradient of Conv's W: dW[m, c, k] += X[n, c, stride·p + dilation·k - pad] dY[n, m, p].

    X: [N, C, spatial…], dY: [N, M, spatial…], shape: i64 [M, C / group, kernel…] of dW
    """

    signature = "X, dY, shape -> dW"
    domain = "nncomp"

    def infer(self, x: TensorType, dy: TensorType, shape: TensorType) -> TensorType:
        spatial = require_spatial(x, "a convolution's gradient")
        dw = shape_operand(shape, x.rank, require_float(x))
        same_dtype(x, dy)
        check_weights(self, dw, spatial)
        require_groups(dw.shape[0], self.group, "output", operand=2)
        _require_consistent(self, x, dw, dy)
        return dw

    def vjp(self, at: Vjp) -> Gradients:
        x, dy = at.inputs[:2]
        assert x is not None
        assert dy is not None
        windows = self.windows(x.shape, at.g.shape)
        inputs = with_explicit_pads(ConvInputGrad, self, windows)
        return (
            at.b(inputs, dy, at.g, at.b.dims(x.shape)),
            at.b(with_explicit_pads(conv.Conv, self, windows), x, at.g),
            None,
        )

    def decompose(self, b: Builder, x: Value, dy: Value, shape: Value) -> Value:
        """Conv of X with dY as its kernel, batch and channels swapped, stride and dilation too."""
        dims = shape.type.elements
        assert dims is not None
        windows = self.windows(x.shape, dims)
        pads = static_pads(windows)
        if pads is None:
            x = _padded(b, x, windows)
        y = b(
            conv.Conv(
                dilations=tuple(v.stride for v in windows),
                group=self.group,
                pads=pads,
                strides=tuple(v.dilation for v in windows),
            ),
            _channels_first(b, x, self.group),
            swap_batch(b, dy),
        )
        # elements behind the last window may give taps too many
        axes = [i + 2 for i, v in enumerate(windows) if y.shape[i + 2] != v.kernel]
        if axes:
            y = window(b, y, [0] * len(axes), [dims[a] for a in axes], axes)
        return swap_batch(b, y)


def _channels_first(b: Builder, x: Value, group: int) -> Value:
    """[N, group·C, spatial…] -> [C, group·N, spatial…]."""
    if group == 1:
        return swap_batch(b, x)
    n, c, *spatial = x.shape
    x = reshape(b, x, n, group, c // group, *spatial)
    x = transpose(b, x, 2, 1, 0, *range(3, x.rank))
    return reshape(b, x, c // group, n * group, *spatial)


def _padded(b: Builder, x: Value, windows: Sequence[Window]) -> Value:
    before: list[DimLike] = [v.before for v in windows]
    after: list[DimLike] = [v.after for v in windows]
    return b(Pad(), x, b.dims([0, 0, *before, 0, 0, *after]))


def _require_consistent(op: Convolution, x: TensorType, w: TensorType, dy: TensorType) -> None:
    """InferError unless x, w and dy may be a convolution's input, weights and result gradient."""
    require_same(x.shape[1], w.shape[1] * op.group, f"an input {x} does not go with weights {w}")
    windows = op.windows(x.shape, w.shape)
    expected = (x.shape[0], w.shape[0], *(v.outputs for v in windows))
    if dy.rank != x.rank or any(
        equal(a, e) is False for a, e in zip(dy.shape, expected, strict=True)
    ):
        raise InferError(
            "NN0205",
            f"the gradient {dy} is not of the result of a convolution of {x} by {w}",
            label=f"that is {dy.with_shape(expected)}",
        )


OPS: tuple[type[Op], ...] = (ConvInputGrad, ConvWeightGrad)
