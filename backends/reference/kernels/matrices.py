"""Triangles, diagonals, determinants, inverses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.elementwise import plain
from nncomp.backends.reference.kernels.precision import widened
from nncomp.ir.op import Op
from nncomp.ops import matrices as m
from nncomp.types import Array


def trilu(op: m.Trilu, x: Array, k: Array | None = None) -> Array:
    diagonal = 0 if k is None else int(k.item())
    # far outside all diagonals are alike, and NumPy adds to the number
    diagonal = max(-x.shape[-2] - 1, min(x.shape[-1] + 1, diagonal))
    return np.triu(x, diagonal) if op.upper else np.tril(x, diagonal)


def eye_like(op: m.EyeLike, x: Array) -> Array:
    dtype = x.dtype if op.dtype is None else op.dtype.numpy
    rows, columns = x.shape
    return np.asarray(np.eye(rows, columns, op.k, dtype))


def inverse(_op: m.Inverse, x: Array) -> Array:
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:  # of one of them: the others have an inverse
        flat = x.reshape(-1, *x.shape[-2:])
        return np.stack([_inverse_or_nan(matrix) for matrix in flat]).reshape(x.shape)


def _inverse_or_nan(matrix: Array) -> Array:
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)


KERNELS: dict[type[Op], Callable[..., Any]] = {
    m.Trilu: trilu,
    m.EyeLike: eye_like,
    m.Det: widened(plain(np.linalg.det)),
    m.Inverse: widened(inverse),
}
