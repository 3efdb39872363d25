"""Arrays under sliding windows: padding, the view of one tap, columns for matrix products."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nncomp.ops.windows import Window, known
from nncomp.types import Array

Slices = tuple[slice, ...]
_COLUMN_BYTES = 1 << 23  # columns are made for as many samples as fit into this


def view(x: Array, slices: Slices) -> Array:
    """The part of x that the slices take along its last axes; not a copy."""
    index: tuple[Any, ...] = (..., *slices)
    part: Array = x[index]
    return part


def ints(dims: Iterable[Any]) -> tuple[int, ...]:
    """Dims that are known by now."""
    return tuple(int(d) for d in dims)


def outputs(windows: Sequence[Window]) -> tuple[int, ...]:
    return ints([v.outputs for v in windows])


def padded_sizes(windows: Sequence[Window]) -> tuple[int, ...]:
    """Sizes that hold every window and the whole input."""
    return tuple(max(known(v.covered), known(v.before) + known(v.size)) for v in windows)


def interior(windows: Sequence[Window]) -> Slices:
    """Where the input stands in a padded array, along the spatial axes."""
    edges = [(known(v.before), known(v.size)) for v in windows]
    return tuple(slice(before, before + size) for before, size in edges)


def pad(x: Array, windows: Sequence[Window], value: float = 0) -> Array:
    """x, padded along its last axes so that every window lies inside; x itself if all do."""
    sizes = padded_sizes(windows)
    if sizes == x.shape[-len(sizes) :]:
        return x
    padded = np.full((*x.shape[: -len(sizes)], *sizes), value, x.dtype)
    view(padded, interior(windows))[...] = x
    return padded


def crop(padded: Array, windows: Sequence[Window]) -> Array:
    """The interior of a padded array, contiguous."""
    return np.ascontiguousarray(view(padded, interior(windows)))


def taps(windows: Sequence[Window]) -> Iterator[Slices]:
    """For each tap of the kernel, row-major, the elements it meets in the padded array."""
    kernels, counts = ints([v.kernel for v in windows]), outputs(windows)
    for offsets in itertools.product(*map(range, kernels)):
        starts = [o * v.dilation for o, v in zip(offsets, windows, strict=True)]
        yield tuple(
            slice(start, start + (count - 1) * v.stride + 1, v.stride)
            for start, count, v in zip(starts, counts, windows, strict=True)
        )


def chunks(batch: int, bytes_per_sample: int) -> Iterator[slice]:
    """Ranges of samples whose columns stay in cache."""
    step = max(1, min(batch, _COLUMN_BYTES // max(1, bytes_per_sample)))
    for first in range(0, batch, step):
        yield slice(first, min(batch, first + step))


def is_pointwise(windows: Sequence[Window]) -> bool:
    """One tap and no padding: a matrix product without columns."""
    return all((v.kernel, v.before, v.after) == (1, 0, 0) for v in windows)


def is_plain(windows: Sequence[Window]) -> bool:
    """Pointwise with stride 1: the input is its own columns."""
    return is_pointwise(windows) and all(v.stride == 1 for v in windows)
