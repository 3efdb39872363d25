"""Convolution and its gradients on blocked tensors.

X is [N, C, H, W], dY [N, K, P, Q], W [K, C, R, S] (plain), s the stride, p the padding at the
beginning, b the block. Ratios are to PyTorch's operators, one thread, batch 64, at 16 channels
of 32², 32 of 16² and 64 of 8².
"""

from __future__ import annotations

import dataclasses

import numpy as np

from nncomp.backends.ort.blocked.filters import (
    forward_filters,
    input_grad_filters,
    plain_weight_grad,
)
from nncomp.backends.ort.blocked.operators import PACKED, BlockedConv, ReorderInput, ReorderOutput
from nncomp.backends.ort.blocked.phases import phased_input_grad
from nncomp.backends.ort.bodies.conv import Geometry
from nncomp.backends.ort.bodies.conv_input import flipped_pads
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.forms import full, reduce_sum, reshape, transpose
from nncomp.ops.indexing import Gather
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.ops.windows import known

_CACHE = 2**16  # numbers of a block of filters: a quarter of a core's second cache
_ROWS = 24  # of a result, from which there are enough for every core


def whole_blocks(g: Geometry, block: int, *, few: bool = False) -> bool:
    """Whether both sides of the convolution have whole blocks of channels.

    few: the input may have fewer channels than a block, and is plain then
    """
    if g.rank != 2 or g.filters % block:
        return False
    if g.group == 1:
        return g.channels % block == 0 or (few and g.channels < block)
    return is_depthwise(g)


def filled(g: Geometry, block: int) -> Geometry:
    """The same with whole blocks of channels, where zeros are to fill up those of one side only:
    the other one, mostly the wider, need not leave the layout then."""
    sides = (g.channels, g.filters)
    broken = [n for n in sides if n % block]
    if g.group > 1 or min(sides) < block or len(broken) != 1 or broken[0] % PACKED:
        return g
    channels, filters = (n + -n % block for n in sides)
    return dataclasses.replace(g, channels=channels, filters=filters)


def is_depthwise(g: Geometry) -> bool:
    return g.group == g.channels == g.filters


def forward(b: Builder, g: Geometry, x: Value, w: Value, bias: Value | None, block: int) -> Value:
    """The convolution itself: 0.9, 1.2, 1.5."""
    op = BlockedConv(
        dilations=g.dilation,
        group=g.group,
        kernel_shape=g.kernel,
        pads=g.pads,
        strides=g.stride,
        block=block,
    )
    return b(op, x, forward_filters(b, w, block), bias)


def per_channel(
    b: Builder,
    x: Value,
    slope: Value,
    offset: Value | None,
    block: int,
    added: Value | None = None,
) -> Value:
    """slope[c] · x + offset[c] + added, as a depthwise convolution by one element."""
    channels = known(x.shape[1])
    op = BlockedConv(group=channels, kernel_shape=(1, 1), block=block)
    return b(op, x, reshape(b, slope, channels, 1, 1, 1), offset, added)


def copied(b: Builder, x: Value, block: int, pads: tuple[int, ...] | None = None) -> Value:
    """X, with zeros around its pixels, as a convolution by 1: other operators that copy run on one
    core."""
    channels = known(x.shape[1])
    op = BlockedConv(group=channels, kernel_shape=(1, 1), pads=pads, block=block)
    ones = full(b, 1.0, x.type.dtype, (channels,))
    return b(op, x, reshape(b, ones, channels, 1, 1, 1))


def input_grad(b: Builder, g: Geometry, dy: Value, w: Value, block: int) -> Value | None:
    """dX; None where there is no formula for it."""
    filters = input_grad_filters
    if g.unit_stride and min(flipped_pads(g)) >= 0:
        op = BlockedConv(
            dilations=g.dilation,
            group=g.group,
            kernel_shape=g.kernel,
            pads=flipped_pads(g),
            block=block,
        )
        return b(op, dy, filters(b, w, block))
    tiled = all(o * s == n for o, s, n in zip(g.outputs, g.stride, g.size, strict=True))
    if g.taps == 1 and not any(g.pads) and tiled:
        op = BlockedConv(group=g.group, kernel_shape=(1, 1), block=block)
        return _spread(b, b(op, dy, filters(b, w, block)), g.size, g, block)
    if is_depthwise(g):  # a pass over the result; where channels are summed, too much work
        pads = _spread_pads(g)
        if min(pads) >= 0:
            sizes = tuple(o * s for o, s in zip(g.outputs, g.stride, strict=True))
            op = BlockedConv(
                dilations=g.dilation, group=g.group, kernel_shape=g.kernel, pads=pads, block=block
            )
            return b(op, _spread(b, dy, sizes, g, block), filters(b, w, block))
        return None
    return phased_input_grad(b, g, dy, w, block)


def _spread_pads(g: Geometry) -> tuple[int, ...]:
    """Padding of the pixels of dY, spread, so that flipped windows give the pixels of X."""
    spans = [d * (k - 1) for k, d in zip(g.kernel, g.dilation, strict=True)]
    before = [span - p for span, p in zip(spans, g.before, strict=True)]
    ends = zip(g.size, g.outputs, g.stride, g.before, strict=True)
    return (*before, *(n - o * s + p for n, o, s, p in ends))


def _spread(b: Builder, x: Value, sizes: tuple[int, ...], g: Geometry, block: int) -> Value:
    """The pixels of x, with zeros between them as the stride leaves them out: images of `sizes`."""
    n, (p, q), (down, right) = x.shape[0], g.outputs, g.stride
    rows = reshape(b, x, n * (g.channels // block) * p, 1, q, block)
    rows = b(Pad(), rows, b.ints(0, 0, 0, 0, 0, down - 1, 0, (right - 1) * block))
    return reshape(b, rows, n, g.channels, *sizes)


def weight_grad(b: Builder, g: Geometry, x: Value, dy: Value, block: int) -> Value | None:
    """dW; None where there is no formula for it.

    x, dy: blocked, of a known number of samples
    """
    if g.rank != 2 or set(g.dilation) != {1} or not isinstance(x.shape[0], int):
        return None
    if is_depthwise(g):
        return _depthwise_weight_grad(b, g, x, dy, block)
    if g.group != 1:
        return None
    if _has_many_pixels(g, block):
        return _pixel_weight_grad(b, g, x, dy, block)
    if x.shape[0] % block:
        return None
    return _flat_weight_grad(b, g, x, dy, block)


def _has_many_pixels(g: Geometry, block: int) -> bool:
    """Whether samples have so many, in whole blocks, that the weights' gradients of each one are
    no more than its images."""
    if g.taps > 1 or not g.unit_stride or any(g.pads):
        return False
    pixels = g.outputs[0] * g.outputs[1]
    some = 2 * pixels * (g.channels + g.filters)
    return pixels % block == 0 and g.channels * g.filters <= some


def _pixel_weight_grad(b: Builder, g: Geometry, x: Value, dy: Value, block: int) -> Value:
    """Of a kernel of 1 × 1: a convolution whose channels are a sample's pixels.

    A block of channels at so many pixels lies in memory as a block of filters does: the side that
    has more channels is filters as it is, of one group for each sample, whose results are added;
    the other one is the image, its squares of pixels and channels transposed.
    """
    n, pixels = known(x.shape[0]), g.outputs[0] * g.outputs[1]
    (wide, outer), (narrow, inner) = ((dy, g.filters), (x, g.channels))
    if inner > outer:
        (wide, outer), (narrow, inner) = (narrow, inner), (wide, outer)
    filters = reshape(b, wide, n * outer, pixels, 1, 1)
    blocks = pixels // block
    image = reshape(b, narrow, n * inner // block * blocks, block, block, 1)
    image = b(ReorderInput(block), image)  # [N, C/b, pixels/b, b(c), b(pixel)]
    if inner > block:
        apart = reshape(b, image, n, inner // block, blocks, block * block)
        image = transpose(b, apart, 0, 2, 1, 3)
    image = reshape(b, image, 1, n * pixels, inner, 1)
    y = b(BlockedConv(group=n, kernel_shape=(1, 1), block=block), image, filters)
    y = reduce_sum(b, reshape(b, y, n, outer * inner), [0])
    y = b(ReorderOutput(block, outer), reshape(b, y, 1, outer, inner, 1))
    if wide is x:
        y = transpose(b, reshape(b, y, outer, inner), 1, 0)
    return reshape(b, y, g.filters, g.channels, 1, 1)


def _flat_weight_grad(b: Builder, g: Geometry, x: Value, dy: Value, block: int) -> Value:
    """One convolution whose channels are the samples, blocked; 1.0, 1.4, 1.2.

    image [C/b, N, H, W · b(c)] = X, padded along W, as no kernel runs well over an edge;
    filters [K, N, P, Q] = dY, dilations [s, s · b]; result [C/b, K, R, S · b(c)]. Cores share its
    rows; where these are few, each block of samples is a group, and their results are added.
    """
    c, k = g.channels, g.filters
    image, filters, height = _parts(b, g, x, dy, block)
    samples = known(image.shape[1])
    groups = samples // block if c // block * g.kernel[0] < _ROWS else 1
    pixels = height * g.outputs[1]
    filters = _samples_inside(b, filters, samples, k // block * pixels, block)
    if groups == 1 < min(samples, k) // block:
        apart = reshape(b, filters, samples // block, k // block, pixels * block**2)
        filters = transpose(b, apart, 1, 0, 2)
    sizes = (height, g.outputs[1])
    filters = reshape(b, filters, groups * k, samples // groups, *sizes)
    whole = height == g.outputs[0]
    op = BlockedConv(
        dilations=(g.stride[0], g.stride[1] * block),
        group=groups,
        kernel_shape=sizes,
        pads=(g.before[0], 0, _ends(g)[0], 0) if whole else None,
        block=block,
    )
    y = b(op, b(ReorderInput(block), image), filters)
    if groups > 1:
        rows, columns = y.shape[2:]
        y = reduce_sum(b, reshape(b, y, c // block, groups, k * rows * columns), [1])
        y = reshape(b, y, c // block, k, rows, columns)
    y = b(ReorderOutput(block, k), y)
    y = _first(b, y, g.kernel[0], g.kernel[1] * block)
    return plain_weight_grad(b, y, k, c, g.kernel)


def _samples_inside(b: Builder, dy: Value, samples: int, pixels: int, block: int) -> Value:
    """[N, pixels, b] as [N/b, pixels, b(n), b]: on all cores, where Transpose has one."""
    rows = reshape(b, dy, samples // block, block, 1, pixels * block)
    return b(ReorderInput(block, channels_last=1), rows)


def _parts(b: Builder, g: Geometry, x: Value, dy: Value, block: int) -> tuple[Value, Value, int]:
    """Image, filters and their height; so many rows of dY that a block of filters stays in the
    cache. Each stripe of rows is a sample of its own, with the rows of X that its windows meet.

    image: [C/b, N · stripes, rows, W · b], padded along W, and along H where it is cut;
    filters: [N · stripes, K, height, Q], blocked
    """
    n, c, k = known(x.shape[0]), g.channels, g.filters
    fitting = _CACHE // (g.outputs[1] * block * block)
    height = max(r for r in range(1, max(fitting, 1) + 1) if g.outputs[0] % r == 0)
    stripes = g.outputs[0] // height
    (top, left), (bottom, right) = g.before, _ends(g)
    if stripes == 1:  # no need to pad along H
        top = bottom = 0
    image = _padded(b, x, (top, left, bottom, right), block)
    h, width = known(image.shape[2]), known(image.shape[3])
    image = reshape(b, image, n, c // block, h * width * block)
    if c > block:
        image = transpose(b, image, 1, 0, 2)
    image = reshape(b, image, c // block, n, h, width * block)
    if stripes == 1:
        return image, dy, height
    down, rows = g.stride[0], (height - 1) * g.stride[0] + g.kernel[0]
    met = np.arange(stripes)[:, None] * height * down + np.arange(rows)
    image = b(Gather(axis=2), image, b.constant(met.reshape(-1)))
    image = reshape(b, image, c // block, n * stripes, rows, image.shape[3])
    if k > block:
        apart = reshape(b, dy, n, k // block, stripes, height * g.outputs[1] * block)
        dy = transpose(b, apart, 0, 2, 1, 3)
    return image, dy, height


def _padded(b: Builder, x: Value, pads: tuple[int, ...], block: int) -> Value:
    """X with zeros around its pixels."""
    return copied(b, x, block, pads) if any(pads) else x


def _ends(g: Geometry) -> tuple[int, int]:
    """Padding behind the last element that a window meets; elements behind it are ignored."""
    down, right = (max(end - rest, 0) for end, rest in zip(g.after, g.rest, strict=True))
    return down, right


def _first(b: Builder, y: Value, rows: int, columns: int) -> Value:
    """Plain y without what elements behind the last window gave."""
    if y.shape[2:] == (rows, columns):
        return y
    return b(Slice(), y, b.ints(0, 0), b.ints(rows, columns), b.ints(2, 3))


def _depthwise_weight_grad(b: Builder, g: Geometry, x: Value, dy: Value, block: int) -> Value:
    """Each channel of each sample convolved with its gradient: no data moves, one pass."""
    n, c = known(x.shape[0]), g.channels
    (top, left), (bottom, right) = g.before, _ends(g)
    op = BlockedConv(
        dilations=g.stride,
        group=n * c,
        kernel_shape=g.outputs,
        pads=(top, left, bottom, right),
        block=block,
    )
    image, filters = reshape(b, x, 1, n * c, *g.size), reshape(b, dy, n * c, 1, *g.outputs)
    y = b(op, image, filters)
    total = reduce_sum(b, reshape(b, y, n, c, *y.shape[2:]), [0], keep=True)
    plain = _first(b, b(ReorderOutput(block, c), total), *g.kernel)
    return reshape(b, plain, c, 1, *g.kernel)
