"""Matrix products by BLAS, on all cores."""

from __future__ import annotations

import math

import numpy as np

from nncomp.backends.reference.threads import cores, each, shares
from nncomp.types import Array

_PRODUCTS = 16  # of two numbers, added up: as long as reading one and writing it


def product(a: Array, b: Array, out: Array | None = None) -> Array:
    """np.matmul, its matrices or else the rows or columns of one spread over the cores."""
    if cores() == 1 or a.ndim < 2 or b.ndim < 2 or a.dtype != b.dtype:
        return np.asarray(np.matmul(a, b, out=out))
    rows, columns = a.shape[-2], b.shape[-1]
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    matrices = math.prod(outer)
    size = matrices * rows * columns * a.shape[-1] // _PRODUCTS
    y = np.empty((*outer, rows, columns), a.dtype) if out is None else out
    first = next((i for i, n in enumerate(outer) if n > 1), len(outer))
    if matrices > 1 and outer[first] >= cores():
        lead = (0,) * first
        a_all = np.broadcast_to(a, (*outer, *a.shape[-2:]))[lead]
        b_all = np.broadcast_to(b, (*outer, *b.shape[-2:]))[lead]
        y_all = y[lead]
        each(
            lambda part: np.matmul(a_all[part], b_all[part], out=y_all[part]),
            shares(outer[first], size),
        )
    elif rows >= columns:
        each(
            lambda part: np.matmul(a[..., part, :], b, out=y[..., part, :]),
            shares(rows, size),
        )
    else:
        each(
            lambda part: np.matmul(a, b[..., part], out=y[..., part]),
            shares(columns, size),
        )
    return y
