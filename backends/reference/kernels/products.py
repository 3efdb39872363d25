"""Matrix products by BLAS, on all cores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from nncomp.backends.reference.kernels.windows import steps
from nncomp.backends.reference.threads import cores, each, shares
from nncomp.types import Array

Place = tuple[slice, slice]
Finish = Callable[[Array, Place], object]

# elements of a matrix by columns whose results stand by columns, too. Small ones are as quick by
# rows, and then no bit of what follows depends on how the matrix came to stand so
LARGE = 1 << 16
_ELEMENTS = 1 << 16  # of a part of a result: see `blocks`
_PRODUCTS = 16  # of two numbers, added up: as long as reading one and writing it


def product(a: Array, b: Array) -> Array:
    """np.matmul, its matrices or else the rows or columns of one spread over the cores.

    The result stands by columns if a large b does, as weights may: see `reference.turning`.
    """
    if a.ndim < 2 or b.ndim < 2 or a.dtype != b.dtype:
        return np.asarray(np.matmul(a, b))
    if b.ndim == 2:
        return rows_times(a, b)
    rows, columns = a.shape[-2], b.shape[-1]
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = np.empty((*outer, rows, columns), a.dtype)
    work = y.size * a.shape[-1] // _PRODUCTS
    first = next((i for i, n in enumerate(outer) if n > 1), len(outer))
    if first < len(outer) and outer[first] >= cores():
        lead = (0,) * first
        a_all = np.broadcast_to(a, (*outer, *a.shape[-2:]))[lead]
        b_all = np.broadcast_to(b, (*outer, *b.shape[-2:]))[lead]
        y_all = y[lead]
        each(
            lambda part: np.matmul(a_all[part], b_all[part], out=y_all[part]),
            shares(outer[first], work),
        )
    elif rows >= columns:
        each(
            lambda part: np.matmul(a[..., part, :], b, out=y[..., part, :]),
            shares(rows, work),
        )
    else:
        each(
            lambda part: np.matmul(a, b[..., part], out=y[..., part]),
            shares(columns, work),
        )
    return y


def rows_times(a: Array, b: Array, finish: Finish | None = None) -> Array:
    """The product of all rows of a, [..., K], with one matrix.

    finish: what follows, in place, called with each part of the result, [rows, columns], while it
        is in cache, and with its place in the result, as a matrix
    """
    outer, (length, columns) = a.shape[:-1], b.shape
    rows = math.prod(outer)
    by_columns = b.size >= LARGE and b.flags.f_contiguous and not b.flags.c_contiguous
    y = np.empty((*outer, columns), a.dtype)
    if by_columns:  # an array of its own and not a view, so that what follows may overwrite it
        y = np.empty_like(np.moveaxis(np.empty((columns, *outer), a.dtype), 0, -1))
    flat, results = a.reshape(rows, length), y.reshape(rows, columns)

    def some(place: Place) -> None:
        np.matmul(flat[place[0]], b[:, place[1]], out=results[place])
        if finish is not None:
            for part in _in_cache(place, by_columns):
                finish(results[part], part)

    parts = shares(max(rows, columns), y.size * length // _PRODUCTS)
    if rows >= columns:
        each(some, [(part, slice(0, columns)) for part in parts])
    else:
        each(some, [(slice(0, rows), part) for part in parts])
    return y


def _in_cache(place: Place, by_columns: bool) -> Iterator[Place]:
    """The place in parts of which a few stay in cache, each in one piece of memory."""
    rows, columns = place
    if by_columns:
        for some in steps(columns, max(1, _ELEMENTS // max(1, rows.stop - rows.start))):
            yield rows, some
    else:
        for some in steps(rows, max(1, _ELEMENTS // max(1, columns.stop - columns.start))):
            yield some, columns
