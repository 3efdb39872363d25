"""Convolution forward: im2col by slices and BLAS, a part of the result on each core."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.windows import (
    between_gaps,
    blocks,
    cut,
    gapless_runs,
    interior,
    is_plain,
    is_pointwise,
    outputs,
    pad,
    padded_sizes,
    steps,
    taps,
    together,
    view,
    windowed,
)
from nncomp.backends.reference.threads import cores, each, shares
from nncomp.ops.windows import Window
from nncomp.types import Array

_FEW_FILTERS = 64  # their products cost less than short runs of columns
_MANY_FILTERS = 256  # some of them, times all columns, keep BLAS busy
_FEW = 4  # times as many filters as positions: columns are less to make than weights are to read
_COPIES = 8  # take as long as what a thread does with a number elsewhere
_PRODUCTS = 16  # of two numbers, added up: as long as reading one and writing it

Windows = tuple[Window, ...]
Index = tuple[slice, ...]
Finish = Callable[[Array, Index], Any]


def _as_it_is(part: Array, place: Index) -> None:
    """Nothing follows the convolution."""


def correlate(
    x: Array, w: Array, windows: Windows, group: int, finish: Finish = _as_it_is
) -> Array:
    """Σ over taps and channels of padded x times w: [N, M, spatial…], a new array.

    finish: what follows, in place, called with each part of the result while it is in cache, and
        with its place in the result: samples, channels, and rows if not all of them
    """
    n, m = x.shape[0], w.shape[0]
    y = np.empty((n, m, *outputs(windows)), x.dtype)
    if y.size == 0 or x.size == 0:
        y[...] = 0
        finish(y, (slice(n), slice(m)))
    elif group > 1:
        _correlate_groups(x, w, windows, y, group, finish)
    elif n == 1 and m >= _MANY_FILTERS and (is_pointwise(windows) or m >= _FEW * y[0, 0].size):
        _correlate_few_positions(x, w, windows, y, finish)
    elif n == 1:
        _correlate_sample(x, w, windows, y, finish)
    else:
        each(
            lambda part: _correlate_samples(x[part], w, windows, y[part], part.start, finish),
            shares(n, _work(w, y, m)),
        )
    return y


def _work(w: Array, y: Array, filters: int) -> int:
    """Of a convolution, in numbers to read or write: products, columns, the result.

    filters: how many use the same columns
    """
    length: int = math.prod(w.shape[1:])
    size: int = math.prod(y.shape)
    return size * length // _PRODUCTS + size // filters * length + size


def _correlate_few_positions(
    x: Array, w: Array, windows: Windows, y: Array, finish: Finish
) -> None:
    """One sample, fewer positions than filters: all columns, then a few channels at a time."""
    m = y.shape[1]
    filters, flat = w.reshape(m, -1), y.reshape(m, -1)
    met = x[0] if is_plain(windows) else windowed(_padded(x[0], windows), windows)
    matrix = met.reshape(filters.shape[-1], -1)
    step = together(m, flat[0].nbytes)

    def some_filters(part: slice) -> None:
        for some in steps(part, step):
            np.matmul(filters[some], matrix, out=flat[some])
            finish(y[:, some], (slice(1), some))

    each(some_filters, shares(m, _work(w, y, m)))


def _correlate_sample(x: Array, w: Array, windows: Windows, y: Array, finish: Finish) -> None:
    """One sample, a few rows of the result at a time: product and what follows stay in cache."""
    (m, rows), across = y.shape[1:3], y.shape[3:]
    filters, width = w.reshape(m, -1), math.prod(across)
    length = filters.shape[-1]
    step = together(rows, (length + m) * width * y.itemsize, caches=4)
    met = windowed(_padded(x[0], windows), windows)
    copied, whole = not is_plain(windows), (slice(None),) * len(across)

    def some_rows(part: slice) -> None:
        most = min(step, part.stop - part.start) * width
        products = np.empty(m * most, x.dtype)
        columns = np.empty(length * most if copied else 0, x.dtype)
        for some in steps(part, step):
            found = view(met, (some, *whole))
            count = some.stop - some.start
            if copied:
                np.copyto(matrix := cut(columns, found.shape), found)
                found = matrix
            product = cut(products, (m, count * width))
            np.matmul(filters, found.reshape(length, -1), out=product)
            block, place = product.reshape(1, m, count, *across), (slice(1), slice(m), some)
            finish(block, place)
            y[place] = block

    each(some_rows, shares(rows, _work(w, y, m)))


def _padded(x: Array, windows: Windows) -> Array:
    """As `pad`, on all cores if that takes longer than waking them.

    Threads that convolve have no part in it: they would wait for the interpreter with each of its
    short steps.
    """
    sizes = padded_sizes(windows)
    if sizes == x.shape[1:]:
        return x
    padded = np.zeros((len(x), *sizes), x.dtype)
    inside = view(padded, interior(windows))
    each(lambda part: np.copyto(inside[part], x[part]), shares(len(x), x.size // _COPIES))
    return padded


def _correlate_samples(
    x: Array, w: Array, windows: Windows, y: Array, start: int, finish: Finish
) -> None:
    """Some samples, of which the first is number `start`, on one core."""
    n, m = y.shape[:2]
    filters, flat = w.reshape(m, -1), y.reshape(n, m, -1)
    length, places = filters.shape[-1], flat.shape[-1]
    step = together(n, length * places * x.itemsize)
    if is_pointwise(windows):
        met = view(x, taps(windows)[0])
        np.matmul(filters, met.reshape(*x.shape[:2], -1), out=flat)
    elif _in_whole_rows(windows, m, step):
        _correlate_rows(x, filters, windows, y, step)
    else:
        for first in range(0, n, step):
            samples = slice(first, first + step)
            found = windowed(pad(x[samples], windows), windows)
            if found.shape[0] == 1:
                np.matmul(filters, found[0].reshape(length, -1), out=flat[first])
                continue
            # one product for all of them: [channels and taps, samples and positions]
            columns = np.moveaxis(found, 0, len(windows) + 1).reshape(length, -1)
            together_all = np.matmul(filters, columns).reshape(m, -1, places)
            np.copyto(flat[samples], together_all.swapaxes(0, 1))
    for samples, channels in blocks(n, m, y[0, 0].nbytes):
        place = slice(start + samples.start, start + samples.stop)
        finish(y[samples, channels], (place, channels))


def _in_whole_rows(windows: Windows, filters: int, samples: int) -> bool:
    """Whether columns are to be taken with what lies between the rows of the result: long runs to
    copy, for a few products that are thrown away."""
    if any(v.stride != 1 for v in windows):
        return False
    wasted = math.prod(padded_sizes(windows)[1:]) / math.prod(outputs(windows)[1:])
    return wasted <= 1.5 and filters <= _FEW_FILTERS and samples > 1


def _correlate_rows(x: Array, filters: Array, windows: Windows, y: Array, step: int) -> None:
    """`step` samples in one product, all in the same memory."""
    padded = np.zeros((step, x.shape[1], *padded_sizes(windows)), x.dtype)
    inside = view(padded, interior(windows))
    met = np.moveaxis(gapless_runs(padded, windows), 0, -2)
    columns = np.empty(met.shape, x.dtype)
    matrix = columns.reshape(filters.shape[-1], -1)
    products = np.empty((len(filters), step, met.shape[-1]), x.dtype)
    found = between_gaps(products, windows).swapaxes(0, 1)
    for first in range(0, len(x), step):
        used = min(step, len(x) - first)
        inside[:used] = x[first : first + used]
        np.copyto(columns, met)
        np.matmul(filters, matrix, out=products.reshape(len(filters), -1))
        y[first : first + used] = found[:used]


def _correlate_groups(
    x: Array, w: Array, windows: Windows, y: Array, group: int, finish: Finish
) -> None:
    """As many groups at a time as stay in cache, all in the same memory on each core.

    With strides of 1 columns are long runs with what lies between the rows of the result: the
    products are few, and some thrown away cost less than copying row by row.
    """
    n, m = y.shape[:2]
    taken, given = x.shape[1] // group, m // group
    length, gapless = w[0].size, all(v.stride == 1 for v in windows)
    places = math.prod(padded_sizes(windows)) if gapless else y[0, 0].size
    filters = w.reshape(group, given, length)
    inputs = x.reshape(n, group, taken, *x.shape[2:])
    results = y.reshape(n, group, given, *y.shape[2:])
    step = min(together(group, length * places * x.itemsize, caches=2), -(-group // cores()))
    starts = list(itertools.product(range(n), range(0, group, step)))

    def some_groups(share: slice) -> None:
        padded = np.zeros((step, taken, *padded_sizes(windows)), x.dtype)
        inside = view(padded, interior(windows))
        met = gapless_runs(padded, windows) if gapless else windowed(padded, windows)
        columns = np.empty(met.shape, x.dtype)
        matrices = columns.reshape(step, length, -1)
        products = np.empty((step, given, matrices.shape[-1]), x.dtype)
        found = (
            between_gaps(products, windows)
            if gapless
            else products.reshape(step, given, *y.shape[2:])
        )
        for sample, start in starts[share]:
            groups = slice(start, min(group, start + step))
            used = slice(groups.stop - start)
            inside[used] = inputs[sample, groups]
            np.copyto(columns[used], met[used])
            np.matmul(filters[groups], matrices[used], out=products[used])
            results[sample, groups] = found[used]
            place = slice(sample, sample + 1), slice(start * given, groups.stop * given)
            finish(y[place], place)

    each(some_groups, shares(len(starts), _work(w, y, given)))
