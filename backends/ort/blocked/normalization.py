"""Batch norm on blocked tensors: the mean by GlobalAveragePool, everything that is one number a
channel by a depthwise 1 × 1 convolution."""

from __future__ import annotations

from nncomp.backends.ort.blocked.convolution import per_channel
from nncomp.backends.ort.blocked.operators import BlockedConv, BlockedGlobalAveragePool
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.elementwise import Mul, Neg
from nncomp.ops.forms import full, other_axes, reduce_mean, reduce_sum, reshape
from nncomp.ops.windows import known


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


def centered(b: Builder, x: Value, mean: Value, block: int) -> Value:
    """X - mean, so that its square does not cancel."""
    ones = full(b, 1.0, x.type.dtype, (x.shape[1],))
    return per_channel(b, x, ones, b(Neg(), mean), block)
