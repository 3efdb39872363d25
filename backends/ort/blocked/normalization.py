"""Batch norm on blocked tensors: the mean by GlobalAveragePool, everything that is one number a
channel by a depthwise 1 × 1 convolution.

The mean of squares cancels where the mean is large beside the deviation. So X is taken less than
about that mean, which the convolution that makes X subtracts, as its bias, without another pass.
"""

from __future__ import annotations

from typing import NamedTuple

from nncomp.backends.ort.blocked.convolution import per_channel
from nncomp.backends.ort.blocked.operators import BlockedConv, BlockedGlobalAveragePool
from nncomp.backends.ort.bodies.conv import Geometry
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.elementwise import Max, Mul, Neg, Sub
from nncomp.ops.forms import full, other_axes, reduce_mean, reduce_sum, reshape
from nncomp.ops.linear import MatMul
from nncomp.ops.shape_slicing import Slice
from nncomp.ops.windows import known

_SHARE = 16  # of the samples that say about where the mean lies


class Shift(NamedTuple):
    """What a convolution's result is less than it was, [C]; exact: whether that is its mean."""

    value: Value
    exact: bool


class Shifted(NamedTuple):
    """X as values = X - shift, blocked; rest: the mean of those, [C], None where it is 0."""

    values: Value
    rest: Value | None


def channel_mean(b: Builder, x: Value, block: int) -> Value:
    """The mean of each channel, [C]."""
    return reduce_mean(b, b(BlockedGlobalAveragePool(block), x), other_axes(4))


def mean_product(b: Builder, x: Value, y: Value, block: int) -> Value:
    """The mean of x · y of each channel, [C]."""
    n, c, h, w = x.shape
    if not isinstance(n, int):
        return channel_mean(b, b(Mul(), x, y), block)
    # filters as large as the image: the products are summed where they are made
    op = BlockedConv(group=n * known(c), kernel_shape=(known(h), known(w)), block=block)
    sums = b(op, reshape(b, x, 1, n * c, h, w), reshape(b, y, n * c, 1, h, w))
    total = reduce_sum(b, reshape(b, sums, n, c), [0])
    return b(Mul(), total, 1.0 / (n * known(h) * known(w)))


def centered(b: Builder, x: Value, mean: Value, block: int) -> Shifted:
    """X - mean."""
    ones = full(b, 1.0, x.type.dtype, (x.shape[1],))
    return Shifted(per_channel(b, x, ones, b(Neg(), mean), block), None)


def variance(b: Builder, x: Shifted, block: int) -> Value:
    """The biased one of each channel, [C]."""
    square = mean_product(b, x.values, x.values, block)
    if x.rest is None:
        return square
    return b(Max(), b(Sub(), square, b(Mul(), x.rest, x.rest)), 0.0)  # rounding may fall below


def affine(
    b: Builder, x: Shifted, slope: Value, offset: Value, block: int, added: Value | None = None
) -> Value:
    """slope · (X - mean) + offset + added."""
    if x.rest is not None:
        offset = b(Sub(), offset, b(Mul(), slope, x.rest))
    return per_channel(b, x.values, slope, offset, block, added)


def covariance(b: Builder, y: Value, mean: Value, x: Shifted, block: int) -> Value:
    """The mean of Y · (X - mean), given that of Y, [C]."""
    product = mean_product(b, y, x.values, block)
    return product if x.rest is None else b(Sub(), product, b(Mul(), mean, x.rest))


def widens(g: Geometry) -> bool:
    """Whether a mean of the convolution's channels is cheaper to tell from those of its input: each
    element of that is read once, and it has fewer."""
    once = g.taps == g.group == 1 and g.unit_stride and not any(g.pads)
    return once and g.channels <= g.filters


def expected_mean(b: Builder, g: Geometry, x: Value, w: Value, block: int) -> Value:
    """About the mean of the convolution of x, of a known number of samples, by w [K, C, R, S],
    [K]: that of a sixteenth of the samples, as if no window went over an edge; the mean itself of
    one that widens.

    Squares less than that cancel by a sixteenth at most where it is the mean of so many samples'
    results: these alone vary as much about the mean of all.
    x: blocked; plain where it has fewer channels than a block
    """
    if not widens(g):
        some = max(known(x.shape[0]) // _SHARE, 1)
        x = b(Slice(), x, b.ints(0), b.ints(some), b.ints(0))
    if g.channels >= block:
        x = b(BlockedGlobalAveragePool(block), x)
    mean = reduce_mean(b, x, other_axes(4))
    if g.taps > 1:
        w = reduce_sum(b, w, [2, 3])
    if g.group > 1:
        return b(Mul(), reshape(b, w, g.filters), mean)
    sums = b(MatMul(), reshape(b, w, g.filters, g.channels), reshape(b, mean, g.channels, 1))
    return reshape(b, sums, g.filters)
