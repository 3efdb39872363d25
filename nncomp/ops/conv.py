"""Convolution and its transpose. The convolutions that arise as gradients are in conv_grad."""

from __future__ import annotations

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, NoGradientError, Op, Vjp, operator
from nncomp.ops import conv_grad  # which in turn needs Conv, once rules run
from nncomp.ops.convolution import (
    Convolution,
    check_weights,
    require_groups,
    require_vector,
    transposed_windows,
    with_explicit_pads,
)
from nncomp.ops.forms import other_axes, reduce_sum, window
from nncomp.ops.rules import require_float, same_dtype
from nncomp.ops.windows import Ints, Window, require_same, require_spatial, static_pads
from nncomp.types import Shape, TensorType


@operator
class Conv(Convolution):
    """Y[n, m, p] = B[m] + Σ_c,k X[n, c, stride·p + dilation·k - pad] W[m, c, k] (ONNX Conv-22).

    X: [N, C, spatial…], W: [M, C / group, kernel…], B: [M], Y: [N, M, spatial…]
    """

    signature = "X, W, B? -> Y"

    def infer(self, x: TensorType, w: TensorType, b: TensorType | None = None) -> TensorType:
        return self.infer_forward(x, w, b)

    def vjp(self, at: Vjp) -> Gradients:
        x, w = at.inputs[:2]
        assert x is not None
        assert w is not None
        dx, dw = conv_gradients(self, at.b, x, w, at.g)
        if len(at.inputs) < 3 or at.inputs[2] is None:
            return dx, dw
        return dx, dw, reduce_sum(at.b, at.g, other_axes(at.g.rank))


def conv_gradients(op: Convolution, b: Builder, x: Value, w: Value, g: Value) -> list[Value]:
    """The gradients of a convolution's input and weights, given its result's."""
    windows = op.windows(x.shape, w.shape)
    dx = b(with_explicit_pads(conv_grad.ConvInputGrad, op, windows), g, w, b.dims(x.shape))
    dw = b(with_explicit_pads(conv_grad.ConvWeightGrad, op, windows), x, g, b.dims(w.shape))
    return [dx, dw]


@operator
class ConvTranspose(Convolution):
    """The transpose of Conv in its input: each X[n, c, p] adds X·W[c] to Y (ONNX ConvTranspose-22).

    X: [N, C, spatial…], W: [C, M / group, kernel…], B: [M], Y: [N, M, spatial…] with
    stride · (size - 1) + output_padding + extent - padding elements along an axis. Where
    output_shape or auto_pad gives the size, padding follows; an odd element goes to the end for
    SAME_UPPER and to the beginning otherwise, as in the ONNX specification.
    """

    signature = "X, W, B? -> Y"
    output_padding: Ints = None
    output_shape: Ints = None

    def transposed(self, x: Shape, w: Shape) -> tuple[Window, ...]:
        """The windows over the result."""
        return transposed_windows(self, x, w, self.output_padding, self.output_shape)

    def infer(self, x: TensorType, w: TensorType, b: TensorType | None = None) -> TensorType:
        spatial = require_spatial(x, "a transposed convolution")
        dtype = same_dtype(require_float(x), w, b)
        check_weights(self, w, spatial)
        require_same(
            x.shape[1],
            w.shape[0],
            f"{x.shape[1]} channels do not match the weights {w}, which take {w.shape[0]}",
            operand=0,
            axis=1,
            help="weights of a transposed convolution are [in, out / group, …]",
        )
        require_groups(w.shape[0], self.group, "input", operand=1)
        channels = w.shape[1] * self.group
        if b is not None:
            require_vector(b, channels, "the bias", operand=2)
        windows = self.transposed(x.shape, w.shape)
        return TensorType(dtype, (x.shape[0], channels, *(v.size for v in windows)))

    def vjp(self, at: Vjp) -> Gradients:
        b, (x, w) = at.b, at.inputs[:2]
        assert x is not None
        assert w is not None
        windows = self.transposed(x.shape, w.shape)
        if static_pads(windows) is None:
            raise NoGradientError(f"{self.name} whose padding depends on a symbolic dim")
        g = _reached(b, at.g, windows)
        forward = with_explicit_pads(Conv, self, windows)
        weights = with_explicit_pads(conv_grad.ConvWeightGrad, self, windows)
        gradients = [b(forward, g, w), b(weights, g, x, b.dims(w.shape))]
        if len(at.inputs) > 2 and at.inputs[2] is not None:
            gradients.append(reduce_sum(b, at.g, other_axes(at.g.rank)))
        return gradients


def _reached(b: Builder, g: Value, windows: tuple[Window, ...]) -> Value:
    """g without the elements at its end that no window reaches, where they would make another."""
    axes, sizes = [], []
    for axis, v in enumerate(windows, start=2):
        unreached = v.size + v.before + v.after - v.covered
        if not isinstance(unreached, int) or unreached >= v.stride:
            axes.append(axis)
            sizes.append(v.size - unreached)
    return window(b, g, [0] * len(axes), sizes, axes) if axes else g


OPS: tuple[type[Op], ...] = (Conv, ConvTranspose)
