"""Arrays under sliding windows: padding, the view of one tap, columns for matrix products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nncomp.ops.windows import Window, known
from nncomp.types import Array

Slices = tuple[slice, ...]
_COLUMN_BYTES = 1 << 23  # columns are made for as many samples as fit into this
_CACHE_BYTES = 1 << 20


def view(x: Array, slices: Slices) -> Array:
    """The part of x that the slices take along its last axes; not a copy."""
    index: tuple[Any, ...] = (..., *slices)
    part: Array = x[index]
    return part


def ints(dims: Iterable[Any]) -> tuple[int, ...]:
    """Dims that are known by now."""
    return tuple(int(d) for d in dims)


@lru_cache
def outputs(windows: tuple[Window, ...]) -> tuple[int, ...]:
    return ints([v.outputs for v in windows])


@lru_cache
def padded_sizes(windows: tuple[Window, ...]) -> tuple[int, ...]:
    """Sizes that hold every window and the whole input."""
    return tuple(max(known(v.covered), known(v.before) + known(v.size)) for v in windows)


@lru_cache
def interior(windows: tuple[Window, ...]) -> Slices:
    """Where the input stands in a padded array, along the spatial axes."""
    edges = [(known(v.before), known(v.size)) for v in windows]
    return tuple(slice(before, before + size) for before, size in edges)


def pad(x: Array, windows: tuple[Window, ...], value: float = 0) -> Array:
    """x, padded along its last axes so that every window lies inside; x itself if all do."""
    sizes = padded_sizes(windows)
    if sizes == x.shape[-len(sizes) :]:
        return x
    padded = np.full((*x.shape[: -len(sizes)], *sizes), value, x.dtype)
    view(padded, interior(windows))[...] = x
    return padded


def cut(memory: Array, shape: tuple[int, ...]) -> Array:
    """The first elements of flat memory as an array of that shape."""
    return memory[: math.prod(shape)].reshape(shape)


def crop(padded: Array, windows: tuple[Window, ...]) -> Array:
    """The interior of a padded array, contiguous."""
    return np.ascontiguousarray(view(padded, interior(windows)))


@lru_cache
def taps(windows: tuple[Window, ...]) -> tuple[Slices, ...]:
    """For each tap of the kernel, row-major, the elements it meets in the padded array."""
    along = []
    for v, count in zip(windows, outputs(windows), strict=True):
        starts = [tap * v.dilation for tap in range(known(v.kernel))]
        along.append([slice(s, s + (count - 1) * v.stride + 1, v.stride) for s in starts])
    return tuple(itertools.product(*along))


def windowed(padded: Array, windows: tuple[Window, ...], rows: int | None = None) -> Array:
    """What each tap meets in each window, [..., kernel…, outputs…]; not a copy.

    rows: how many windows there are along the first axis, if not all
    """
    first, *others = outputs(windows)
    rank = len(windows)
    kernel = ints([v.kernel for v in windows])
    strides = padded.strides[-rank:]
    apart = [s * v.dilation for s, v in zip(strides, windows, strict=True)]
    further = [s * v.stride for s, v in zip(strides, windows, strict=True)]
    return as_strided(
        padded,
        (*padded.shape[:-rank], *kernel, first if rows is None else rows, *others),
        (*padded.strides[:-rank], *apart, *further),
        writeable=False,
    )


def gapless_runs(padded: Array, windows: tuple[Window, ...]) -> Array:
    """What each tap meets from the first window to the last, [..., kernel…, run]; not a copy.

    For strides of 1: long runs, which hold what lies between the rows of windows, too.
    """
    rank, kernel = len(windows), ints([v.kernel for v in windows])
    strides = padded.strides[-rank:]
    apart = [s * v.dilation for s, v in zip(strides, windows, strict=True)]
    last = sum((n - 1) * s for n, s in zip(outputs(windows), strides, strict=True))
    return as_strided(
        padded,
        (*padded.shape[:-rank], *kernel, last // padded.itemsize + 1),
        (*padded.strides[:-rank], *apart, padded.itemsize),
        writeable=False,
    )


def between_gaps(runs: Array, windows: tuple[Window, ...]) -> Array:
    """The windows among the elements of runs, [..., outputs…]; not a copy."""
    sizes = padded_sizes(windows)
    apart = [math.prod(sizes[axis + 1 :]) * runs.itemsize for axis in range(len(sizes))]
    return as_strided(runs, (*runs.shape[:-1], *outputs(windows)), (*runs.strides[:-1], *apart))


def chunks(batch: int, bytes_per_sample: int) -> Iterator[slice]:
    """Ranges of samples whose columns stay in cache."""
    step = max(1, min(batch, _COLUMN_BYTES // max(1, bytes_per_sample)))
    for first in range(0, batch, step):
        yield slice(first, min(batch, first + step))


def together(count: int, size: int, caches: int = 1) -> int:
    """How many of `count` things of this size, in bytes, stay in the caches of one core.

    caches: how much more there may be, where larger products gain more than cache misses cost
    """
    return max(1, min(count, caches * _CACHE_BYTES // max(1, size)))


def steps(part: slice, step: int) -> Iterator[slice]:
    """The part, cut into ranges of at most `step`."""
    for first in range(part.start or 0, part.stop, step):
        yield slice(first, min(first + step, part.stop))


def blocks(batch: int, count: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Ranges of samples and of their things of this size that stay in cache: all of several
    samples, or some of one."""
    for samples in steps(slice(batch), together(batch, count * size)):
        for things in steps(slice(count), together(count, size)):
            yield samples, things


def is_pointwise(windows: tuple[Window, ...]) -> bool:
    """One tap and no padding: a matrix product without columns."""
    return all((v.kernel, v.before, v.after) == (1, 0, 0) for v in windows)


def is_plain(windows: tuple[Window, ...]) -> bool:
    """Pointwise with stride 1: the input is its own columns."""
    return is_pointwise(windows) and all(v.stride == 1 for v in windows)
