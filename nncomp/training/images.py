"""Images as arrays: bilinear resizing and random shifts."""

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


def shift(images: Array, most: int, rng: np.random.Generator) -> Array:
    """Each of f32[N, C, H, W] moved by up to `most` pixels both ways, zeros moved in."""
    count, _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (most, most), (most, most)))
    down, right = rng.integers(0, 2 * most + 1, (2, count, 1, 1))
    each = np.arange(count)[:, None, None]
    rows = down + np.arange(height)[:, None]
    columns = right + np.arange(width)
    moved = padded[each, :, rows, columns]  # [N, H, W, C]
    return np.ascontiguousarray(np.moveaxis(moved, 3, 1))
