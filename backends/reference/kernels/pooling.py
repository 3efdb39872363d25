"""Pooling and its gradients, one tap of the windows at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.precision import widened
from nncomp.backends.reference.kernels.windows import (
    crop,
    interior,
    ints,
    outputs,
    pad,
    padded_sizes,
    steps,
    taps,
    together,
    view,
)
from nncomp.backends.reference.threads import each, shares
from nncomp.ops.pooling import GlobalAveragePool, GlobalLpPool, GlobalMaxPool
from nncomp.ops.pooling_average import AveragePool, AveragePoolGrad, LpPool
from nncomp.ops.pooling_base import divisors
from nncomp.ops.pooling_max import MaxPool, MaxPoolGrad, MaxUnpool
from nncomp.ops.windows import Window, known
from nncomp.types import Array, DType

Windows = tuple[Window, ...]


def _lowest(x: Array) -> Any:
    return -np.inf if DType.of(x).is_float else np.iinfo(x.dtype).min


@widened
def max_pool_values(op: MaxPool, x: Array) -> Array:
    """MaxPool's first result alone, an axis after the other: far cheaper than both results."""
    windows = op.windows(x.shape)
    y = np.empty((*x.shape[:2], *outputs(windows)), x.dtype)
    planes, results = x.reshape(-1, *x.shape[2:]), y.reshape(-1, *y.shape[2:])
    step = together(len(planes), 2 * x[0, 0].nbytes, caches=4) if planes.size else 1

    def some_planes(part: slice) -> None:
        for some in steps(part, step):
            padded = pad(planes[some], windows, _lowest(x))
            for axis, window in enumerate(windows, 1):
                padded = _largest(padded, window, axis)
            results[some] = padded

    each(some_planes, shares(len(planes), y.size * len(taps(windows))))
    return y


def _largest(padded: Array, window: Window, axis: int) -> Array:
    """The largest element that each window along one axis meets."""
    first, *others = (view(np.moveaxis(padded, axis, -1), tap) for tap in taps((window,)))
    y = first
    for other in others:
        y = np.maximum(y, other, out=None if y is first else y)
    return np.moveaxis(y, -1, axis)


@widened
def max_pool(op: MaxPool, x: Array) -> tuple[Array, Array]:
    windows = op.windows(x.shape)
    padded = pad(x, windows, _lowest(x))
    places = np.full(padded.shape[2:], -1, np.int64)
    places[interior(windows)] = _positions(x.shape[2:], op.storage_order)
    y: Array | None = None
    indices = np.empty(0, np.int64)
    for slices in taps(windows):
        part, place = view(padded, slices), places[slices]
        if y is None:
            y = part.copy()
            indices = np.broadcast_to(place, y.shape).copy()
            continue
        # a padded place never wins over an element, not even over one of -inf
        larger = (part > y) | ((indices < 0) & (place >= 0))
        np.copyto(indices, place, where=larger)
        np.maximum(y, part, out=y)
    assert y is not None
    channels = np.arange(y.shape[0] * y.shape[1]).reshape(*y.shape[:2], *(1,) * len(windows))
    np.maximum(indices, 0, out=indices)
    indices += channels * int(np.prod(x.shape[2:]))
    return y, indices


def _positions(sizes: tuple[int, ...], storage_order: int) -> Array:
    """The number of each position of one channel, row-major or column-major."""
    count = np.arange(int(np.prod(sizes)))
    return count.reshape(sizes[::-1]).T if storage_order else count.reshape(sizes)


@widened
def max_pool_grad(op: MaxPoolGrad, dy: Array, indices: Array, shape: Array) -> Array:
    sizes = ints(shape)
    count = int(np.prod(sizes))
    if all(v.stride >= known(v.extent) for v in op.windows(sizes)):  # each place is met once
        dx = np.zeros(count, dy.dtype)
        dx[indices.reshape(-1)] = dy.reshape(-1)
        return dx.reshape(sizes)
    sums = np.bincount(indices.reshape(-1), weights=dy.reshape(-1), minlength=count)
    total: Array = sums.astype(dy.dtype).reshape(sizes)
    return total


def max_unpool(op: MaxUnpool, x: Array, indices: Array, output_shape: Array | None = None) -> Array:
    smallest = ints(op.smallest(x.shape))
    y = np.zeros(smallest, x.dtype)
    y.reshape(-1)[indices.reshape(-1)] = x.reshape(-1)
    if output_shape is None or ints(output_shape) == smallest:
        return y
    larger = np.zeros(ints(output_shape), x.dtype)
    larger[tuple(map(slice, smallest))] = y
    return larger


def _window_sums(x: Array, windows: Windows) -> Array:
    padded = pad(x, windows)
    parts = (view(padded, slices) for slices in taps(windows))
    y: Array = next(parts).copy()
    for part in parts:
        y += part
    return y


@widened
def average_pool(op: AveragePool, x: Array) -> Array:
    windows = op.windows(x.shape)
    y = _window_sums(x, windows)
    y /= divisors(windows, bool(op.count_include_pad)).astype(x.dtype)
    return y


@widened
def average_pool_grad(op: AveragePoolGrad, dy: Array, shape: Array) -> Array:
    windows = op.windows(ints(shape))
    share = dy / divisors(windows, bool(op.count_include_pad)).astype(dy.dtype)
    padded = np.zeros((*dy.shape[:2], *padded_sizes(windows)), dy.dtype)
    for slices in taps(windows):
        met = view(padded, slices)
        met += share
    return crop(padded, windows)


@widened
def lp_pool(op: LpPool, x: Array) -> Array:
    windows = op.windows(x.shape)
    if op.p == 1:
        return _window_sums(np.abs(x), windows)
    if op.p == 2:
        y = _window_sums(x * x, windows)
        return np.sqrt(y, out=y)
    y = _window_sums(np.abs(x) ** op.p, windows)
    return np.power(y, 1 / op.p, out=y)


def _spatial(x: Array) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


@widened
def global_average_pool(op: GlobalAveragePool, x: Array) -> Array:
    mean: Array = x.mean(axis=_spatial(x), keepdims=True)
    return mean


def global_max_pool(op: GlobalMaxPool, x: Array) -> Array:
    largest: Array = x.max(axis=_spatial(x), keepdims=True)
    return largest


@widened
def global_lp_pool(op: GlobalLpPool, x: Array) -> Array:
    sums: Array = (np.abs(x) ** op.p).sum(axis=_spatial(x), keepdims=True)
    return np.power(sums, 1 / op.p)


KERNELS: dict[type[Any], Callable[..., Any]] = {
    MaxPool: max_pool,
    MaxPoolGrad: max_pool_grad,
    MaxUnpool: max_unpool,
    AveragePool: average_pool,
    AveragePoolGrad: average_pool_grad,
    LpPool: lp_pool,
    GlobalAveragePool: global_average_pool,
    GlobalMaxPool: global_max_pool,
    GlobalLpPool: global_lp_pool,
}
# kernels of the first result, for when nobody uses the others
FIRST_RESULT: dict[type[Any], Callable[..., Any]] = {MaxPool: max_pool_values}
