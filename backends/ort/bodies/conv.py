"""Bodies of the gradient of a convolution's weights.

Ratios are to torch's own operators on two cores, from `benchmarks/gradients.py`. In the formulas
X is [N, C, H, W], dY [N, K, P, Q], W [K, C, R, S], s the stride, p the padding at the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from nncomp.backends.ort.bodies.body import Body, Target, operand
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.conv import Conv
from nncomp.ops.conv_grad import ConvWeightGrad
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise import Mul
from nncomp.ops.forms import reduce_sum, reshape, swap_batch, transpose
from nncomp.ops.linear import MatMul
from nncomp.ops.shape import Unsqueeze
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.types import DType, Shape

# channels, as measured
FEW = 6
_VERY_FEW = 4
_SOME_TAPS = 16  # columns of more are cheaper one axis after the other
_MANY_TAPS = 36  # columns of more are slower than the convolution they stand for


@dataclass(frozen=True)
class Geometry:
    """A convolution whose spatial sizes are known; one number for each spatial axis.

    size: of X; kernel: of W; outputs: of Y; rest: elements of the padded X behind the last window
    """

    channels: int
    filters: int
    group: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    outputs: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.kernel)

    @property
    def taps(self) -> int:
        return int(np.prod(self.kernel))

    @property
    def pixels(self) -> int:
        """Outputs of one sample and channel."""
        return int(np.prod(self.outputs))

    @property
    def unit_stride(self) -> bool:
        return set(self.stride) == {1}

    @property
    def pads(self) -> tuple[int, ...]:
        return self.before + self.after


def geometry(op: Convolution, x: Shape, w: Shape) -> Geometry | None:
    """None where channels or spatial sizes are symbolic."""
    windows = op.windows(x, w)
    fields = ("size", "kernel", "outputs", "stride", "dilation", "before", "after", "rest")
    numbers: dict[str, Any] = {
        field: tuple(getattr(window, field) for window in windows) for field in fields
    }
    known = [x[1], w[0], *(n for values in numbers.values() for n in values)]
    if not all(isinstance(n, int) for n in known):
        return None
    channels, filters = x[1], w[0]
    assert isinstance(channels, int)
    assert isinstance(filters, int)
    return Geometry(channels=channels, filters=filters, group=op.group, **numbers)


def _of_weight_grad(node: Node) -> Geometry | None:
    assert isinstance(node.op, ConvWeightGrad)
    return geometry(node.op, operand(node, 0).shape, node.outputs[0].shape)


def known_geometry(of: Geometry | None) -> Geometry:
    """The geometry, where a body did not refuse."""
    assert of is not None
    return of


# --- the gradient of the weights -------------------------------------------------------------


def _one_group(node: Node, target: Target) -> str | None:
    g = _of_weight_grad(node)
    if g is None:
        return "spatial sizes are symbolic"
    return None if g.group == 1 else "the convolution has groups"


def _pointwise_refuses(node: Node, target: Target) -> str | None:
    g = _of_weight_grad(node)
    refusal = _one_group(node, target)
    if refusal or g is None:
        return refusal
    if g.taps != 1 or any(g.pads):
        return "the kernel is not 1 × 1, or there is padding"
    return None


def _pointwise_weight_grad(b: Builder, node: Node) -> Value:
    """dW = Σ_n dY[n] X[n]ᵀ, with X cut to the pixels that the stride visits."""
    g, x, dy = known_geometry(_of_weight_grad(node)), operand(node, 0), operand(node, 1)
    x = _strided(b, x, g, (0,) * g.rank)
    n = x.shape[0]
    x = reshape(b, x, n, g.channels, g.pixels)
    dy = reshape(b, dy, n, g.filters, g.pixels)
    return _contract(b, dy, x, g)


def _contract(b: Builder, dy: Value, columns: Value, g: Geometry) -> Value:
    """Σ_n dY [N, K, P] · columns [N, J, P]ᵀ as weights [K, J, …]."""
    if g.channels * g.taps <= g.filters:
        total = reduce_sum(b, b(MatMul(), dy, transpose(b, columns, 0, 2, 1)), [0])
    else:  # the right factor is packed for the product: let it be the smaller one
        total = reduce_sum(b, b(MatMul(), columns, transpose(b, dy, 0, 2, 1)), [0])
        total = transpose(b, total, 1, 0)
    return reshape(b, total, g.filters, g.channels, *g.kernel)


def _strided(b: Builder, x: Value, g: Geometry, tap: Sequence[int]) -> Value:
    """The elements of padded X that one tap of the kernel meets, [N, C, outputs…]."""
    starts = [t * d for t, d in zip(tap, g.dilation, strict=True)]
    ends = [a + (o - 1) * s + 1 for a, o, s in zip(starts, g.outputs, g.stride, strict=True)]
    if not any(starts) and ends == list(x.shape[2:]) and g.unit_stride:
        return x
    axes = b.ints(*range(2, 2 + g.rank))
    return b(Slice(), x, b.ints(*starts), b.ints(*ends), axes, b.ints(*g.stride))


def _identity_refuses(node: Node, target: Target) -> str | None:
    if operand(node, 0).type.dtype is not DType.F32:
        return "onnxruntime convolves f32 only"
    return _one_group(node, target)


def _im2col_weight_grad(b: Builder, node: Node) -> Value:
    """Columns by a depthwise convolution whose filters are the taps: filter t of a channel is 1 at
    tap t, 0 elsewhere. Then dW = Σ_n dY[n] columns[n]ᵀ."""
    g, x, dy = known_geometry(_of_weight_grad(node)), operand(node, 0), operand(node, 1)
    taps = np.eye(g.taps, dtype=np.float32).reshape(g.taps, 1, *g.kernel)
    filters = np.tile(taps, (g.channels,) + (1,) * (g.rank + 1))
    op = Conv(strides=g.stride, dilations=g.dilation, pads=g.pads, group=g.channels)
    return _from_columns(b, b(op, x, b.constant(filters)), dy, g)


def _identity_cost(node: Node, target: Target) -> float:
    g = known_geometry(_of_weight_grad(node))
    return 0.8 if g.channels <= _VERY_FEW and g.taps <= _SOME_TAPS else 3.0


def _separable_weight_grad(b: Builder, node: Node) -> Value:
    """The same columns, one spatial axis after another: R + S filters instead of R · S."""
    g, x, dy = known_geometry(_of_weight_grad(node)), operand(node, 0), operand(node, 1)
    channels = g.channels
    for axis in range(g.rank):
        kernel = [1] * g.rank
        kernel[axis] = g.kernel[axis]
        taps = np.eye(g.kernel[axis], dtype=np.float32).reshape(-1, 1, *kernel)
        filters = np.tile(taps, (channels,) + (1,) * (g.rank + 1))
        op = Conv(
            strides=_only(g.stride, axis, 1),
            dilations=_only(g.dilation, axis, 1),
            pads=_only(g.before, axis, 0) + _only(g.after, axis, 0),
            group=channels,
        )
        x = b(op, x, b.constant(filters))
        channels *= g.kernel[axis]
    return _from_columns(b, x, dy, g)


def _only(values: Sequence[int], axis: int, other: int) -> tuple[int, ...]:
    return tuple(v if i == axis else other for i, v in enumerate(values))


def _from_columns(b: Builder, columns: Value, dy: Value, g: Geometry) -> Value:
    n = dy.shape[0]
    columns = reshape(b, columns, n, g.channels * g.taps, g.pixels)
    return _contract(b, reshape(b, dy, n, g.filters, g.pixels), columns, g)


def _separable_cost(node: Node, target: Target) -> float:
    g = known_geometry(_of_weight_grad(node))
    if g.channels <= _VERY_FEW and _SOME_TAPS < g.taps <= _MANY_TAPS:
        return 0.8
    return 2.5 if g.channels > FEW else 3.0


def _flat_refuses(node: Node, target: Target) -> str | None:
    g = _of_weight_grad(node)
    refusal = _identity_refuses(node, target)
    if refusal or g is None:
        return refusal
    if g.rank not in (1, 2):
        return "it needs one or two spatial axes"
    return None if set(g.dilation) == {1} else "the kernel is dilated"


def _flat_weight_grad(b: Builder, node: Node) -> Value:
    """One convolution over an image whose rows hold all channels of each pixel side by side:

    image [1, N, H, W·C] = X, filters [K, N, P, Q] = dY, dilations [s, s·C], pads [p, p·C, …];
    its output [1, K, R, S·C] is dW with its channels last. With one spatial axis H = R = P = 1.
    """
    g, x, dy = known_geometry(_of_weight_grad(node)), operand(node, 0), operand(node, 1)
    # padding behind the last window is not wanted; neither are elements there
    after = [end - rest for end, rest in zip(g.after, g.rest, strict=True)]
    if any(end < 0 for end in after):
        sizes = [size + min(end, 0) for size, end in zip(g.size, after, strict=True)]
        axes = b.ints(*range(2, 2 + g.rank))
        x = b(Slice(), x, b.ints(*(0,) * g.rank), b.ints(*sizes), axes)
        after = [max(end, 0) for end in after]
    n, c = x.shape[0], g.channels
    height, width = x.shape[2:] if g.rank == 2 else (1, x.shape[2])
    last = transpose(b, x, 0, *range(2, x.rank), 1)
    image = reshape(b, last, 1, n, height, width * c)
    filters = swap_batch(b, dy)
    if g.rank == 1:
        filters = reshape(b, filters, g.filters, n, 1, g.outputs[0])
    before, ends, strides = list(g.before), after, list(g.stride)
    if g.rank == 1:
        before, ends, strides = [0, *before], [0, *ends], [1, *strides]
    op = Conv(
        dilations=(strides[0], strides[1] * c),
        pads=(before[0], before[1] * c, ends[0], ends[1] * c),
    )
    y = reshape(b, b(op, image, filters), g.filters, g.taps, c)
    return reshape(b, transpose(b, y, 0, 2, 1), g.filters, c, *g.kernel)


def _flat_cost(node: Node, target: Target) -> float:
    return 1.0 if known_geometry(_of_weight_grad(node)).unit_stride else 0.9


def _depthwise_refuses(node: Node, target: Target) -> str | None:
    g = _of_weight_grad(node)
    if g is None:
        return "spatial sizes are symbolic"
    return None if g.group == g.channels == g.filters else "it is not depthwise"


def _depthwise_weight_grad(b: Builder, node: Node) -> Value:
    """dW[c, t] = Σ X[n, c, tap t] dY[n, c], one product and sum for each tap."""
    g, x, dy = known_geometry(_of_weight_grad(node)), operand(node, 0), operand(node, 1)
    if any(g.pads):
        axes = b.ints(*range(2, 2 + g.rank))
        x = b(Pad(), x, b.ints(*g.pads), None, axes)
    spatial = tuple(range(2, 2 + g.rank))
    sums = []
    for tap in product(*(range(k) for k in g.kernel)):
        met = reduce_sum(b, b(Mul(), _strided(b, x, g, tap), dy), spatial)
        sums.append(b(Unsqueeze(), reduce_sum(b, met, [0]), b.ints(1)))
    taps = sums[0] if len(sums) == 1 else b(Concat(axis=1), *sums)
    return reshape(b, taps, g.channels, 1, *g.kernel)


BODIES = (
    Body(
        "pointwise-matmul",
        ConvWeightGrad,
        _pointwise_refuses,
        lambda n, t: 0.9,
        _pointwise_weight_grad,
    ),
    Body("flat-conv", ConvWeightGrad, _flat_refuses, _flat_cost, _flat_weight_grad),
    Body(
        "separable-im2col",
        ConvWeightGrad,
        _identity_refuses,
        _separable_cost,
        _separable_weight_grad,
    ),
    Body("identity-im2col", ConvWeightGrad, _identity_refuses, _identity_cost, _im2col_weight_grad),
    Body(
        "depthwise-taps",
        ConvWeightGrad,
        _depthwise_refuses,
        lambda n, t: 1.5,
        _depthwise_weight_grad,
    ),
)
