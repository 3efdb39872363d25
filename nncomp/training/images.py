"""Images as arrays: bilinear resizing and shifts."""

from __future__ import annotations

import numpy as np

from nncomp.types import Array


def resize(images: Array, height: int, width: int) -> Array:
    """f32[N, C, h, w] -> f32[N, C, height, width], bilinear, pixel centres at halves.

    (ONNX Resize with mode "linear" and "half_pixel" coordinates, edges repeated.)
    """
    rows = _interpolation(images.shape[2], height)
    columns = _interpolation(images.shape[3], width)
    return np.ascontiguousarray(rows @ images @ columns.T)


def _interpolation(size: int, to: int) -> Array:
    """The matrix f32[to, size] that interpolates linearly."""
    centre = np.clip((np.arange(to) + 0.5) * size / to - 0.5, 0, size - 1)
    low = np.minimum(centre.astype(int), max(size - 2, 0))
    share = centre - low
    matrix = np.zeros((to, size), np.float32)
    each = np.arange(to)
    matrix[each, low] += 1 - share
    matrix[each, np.minimum(low + 1, size - 1)] += share
    return matrix


def shift(images: Array, offsets: Array) -> Array:
    """Each of [N, …, H, W] moved down and right by its own of the offsets i64[2, N], zeros moved
    in."""
    count, (height, width) = len(images), images.shape[-2:]
    stacked = images.reshape(count, -1, height, width)
    most = int(np.abs(offsets).max(initial=0))
    padded = np.pad(stacked, ((0, 0), (0, 0), (most, most), (most, most)))
    down, right = (most - offsets)[:, :, None, None]
    each = np.arange(count)[:, None, None]
    rows = down + np.arange(height)[:, None]
    columns = right + np.arange(width)
    moved = padded[each, :, rows, columns]  # [N, H, W, C]
    return np.ascontiguousarray(np.moveaxis(moved, 3, 1)).reshape(images.shape)
