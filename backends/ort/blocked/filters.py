"""Filters in the order of blocked convolutions, made from plain ones at run time.

onnxruntime transposes single elements slowly. ReorderInput and ReorderOutput move a block at a
time, and Gather then copies what lies together: a third of the time, at 64 · 64 · 3².
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nncomp.backends.ort.blocked.operators import ReorderInput, ReorderOutput
from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.forms import reshape, transpose
from nncomp.ops.indexing import Gather
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.ops.windows import known


def forward_filters(b: Builder, w: Value, block: int) -> Value:
    """W [K, C, R, S], C for each group, as BlockedConv takes it."""
    k, c, r, s = (known(dim) for dim in w.shape)
    rows = b(ReorderInput(block), reshape(b, w, k // block, block, c * r * s, 1))
    if c >= block and r * s > 1:  # C/b, b(c), taps -> C/b, taps, b(c)
        apart = reshape(b, rows, k * c // block**2, block, r * s, block)
        rows = transpose(b, apart, 0, 2, 1, 3)
    return reshape(b, rows, k, c, r, s)


def input_grad_filters(b: Builder, w: Value, block: int) -> Value:
    """The filters that convolve dY to dX: in and out swapped, taps turned around.

    w: [K, C, R, S], C for each group, plain. Result: [C, K, R, S]; [K, 1, R, S] of a depthwise
    convolution
    """
    k, c, r, s = (known(dim) for dim in w.shape)
    if c == 1:
        forward = forward_filters(b, w, block)
        rows = _gathered(b, forward, _backwards(k // block, 1, r * s), block)
        return reshape(b, rows, k, 1, r, s)
    order = _backwards(k // block, c // block, r * s)
    return reshape(b, _gathered(b, _squares(b, w, block), order, block * block), c, k, r, s)


def phase_filters(
    b: Builder, w: Value, taps: np.ndarray[Any, np.dtype[np.int64]], block: int
) -> Value:
    """The filters of one convolution of dY to several phases of dX, as many channels each.

    w: [K, C, R, S], plain. taps: [phases, T, U], which tap of the kernel stands at each place of a
    phase's filter; R · S where none does. Result: [C/b · phases · b, K, T, U]
    """
    k, c, r, s = (known(dim) for dim in w.shape)
    squares = reshape(b, _squares(b, w, block), k * c // block**2 * r * s, block * block)
    if (taps == r * s).any():
        squares = b(Pad(), squares, b.ints(0, 0, 1, 0))  # the last square: no tap
    places = np.full((k // block, c // block, r * s + 1), k * c // block**2 * r * s)
    places[:, :, :-1] = np.arange(k * c // block**2 * r * s).reshape(k // block, c // block, -1)
    met = places[:, :, taps].transpose(1, 2, 0, 3, 4)
    filters = b(Gather(axis=0), squares, b.constant(met.reshape(-1)))
    return reshape(b, filters, c * taps.shape[0], k, *taps.shape[1:])


def _squares(b: Builder, w: Value, block: int) -> Value:
    """W [K, C, R, S] as squares of b(k) · b(c), in the order K/b, C/b, taps."""
    k, c, r, s = (known(dim) for dim in w.shape)
    squares = reshape(b, w, k // block, block, c * r * s, 1)
    squares = b(ReorderInput(block), squares)  # K/b, C/b, b(c), taps, b(k)
    if r * s > 1:
        squares = transpose(
            b, reshape(b, squares, k * c // block**2, block, r * s, block), 0, 2, 1, 3
        )
    # each square of b(c) · b(k) is transposed: b(c) becomes what convolution puts out
    squares = reshape(b, squares, k * c // block**2 * r * s, block, block, 1)
    return b(ReorderInput(block), squares)


def _backwards(outer: int, inner: int, taps: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where [outer, inner, taps] finds what [inner, outer, taps backwards] holds."""
    places = np.arange(outer * inner * taps, dtype=np.int64).reshape(outer, inner, taps)
    return places.transpose(1, 0, 2)[:, :, ::-1].reshape(-1)


def _gathered(
    b: Builder, x: Value, order: np.ndarray[tuple[int], np.dtype[np.int64]], length: int
) -> Value:
    if (order == np.arange(order.size)).all():
        return x
    return b(Gather(axis=0), reshape(b, x, order.size, length), b.constant(order.copy()))


def plain_weight_grad(b: Builder, y: Value, k: int, c: int, kernel: tuple[int, ...]) -> Value:
    """[C/b, K, R, S, b(c)] in plain order as weights [K, C, R, S].

    y: of that many elements, [C/b, K, R, S · b]
    """
    block = known(y.shape[3]) // kernel[1]
    taps = kernel[0] * kernel[1]
    w = b(ReorderOutput(block, block), reshape(b, y, c // block * k, block, taps, 1))
    if c > block:
        w = transpose(b, reshape(b, w, c // block, k, block * taps), 1, 0, 2)
    return reshape(b, w, k, c, *kernel)


def filled_filters(b: Builder, w: Value, *channels: int) -> Value:
    """W [K, C, R, S], or a bias [K], with zeros up to so many channels."""
    more = [n - known(dim) for n, dim in zip(channels, w.shape, strict=False)]
    if not any(more):
        return w
    rest = [0] * (w.rank - len(more))
    return b(Pad(), w, b.ints(*[0] * w.rank, *more, *rest))


def first_filters(b: Builder, w: Value, *channels: DimLike) -> Value:
    """W [K, C, R, S] without the channels that fill it up to more than these."""
    if w.shape[:2] == channels:
        return w
    return b(Slice(), w, b.ints(0, 0), b.dims(channels), b.ints(0, 1))
