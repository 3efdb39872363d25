"""Regions of images, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.precision import widened
from nncomp.ir.op import Op
from nncomp.ops.regions import MaxRoiPool, RoiAlign
from nncomp.types import Array


def roi_align(op: RoiAlign, x: Array, rois: Array, batch: Array) -> Array:
    y = np.zeros((len(rois), x.shape[1], op.output_height, op.output_width), x.dtype)
    half = op.coordinate_transformation_mode == "half_pixel"
    for number, (region, image) in enumerate(zip(rois * op.spatial_scale, x[batch], strict=True)):
        first, length = region[:2] - (0.5 if half else 0), region[2:] - region[:2]
        if not half:
            length = np.maximum(length, 1)
        across = _weights(op, first[0], length[0], op.output_width, x.shape[3])
        down = _weights(op, first[1], length[1], op.output_height, x.shape[2])
        if not across[0].size or not down[0].size:  # no place: a region without extent
            continue
        if op.mode == "avg":
            rows, columns = (_matrix(*taps, image.shape[i]) for taps, i in ((down, 1), (across, 2)))
            y[number] = rows @ image @ columns.T
        else:
            y[number] = _largest(image, down, across)
    return y


def _weights(
    op: RoiAlign, first: float, length: float, bins: int, size: int
) -> tuple[Array, Array]:
    """The lower and upper neighbour of each place along an axis, and their weights: i64 and
    floating [2, bins, places]."""
    count = op.sampling_ratio or max(0, int(np.ceil(length / bins)))
    steps = np.arange(bins)[:, None] + (np.arange(count) + 0.5) / max(count, 1)
    place = first + length / bins * steps
    counts = (place >= -1) & (place <= size)
    inner = np.clip(place, 0, size - 1)
    low = np.floor(inner).astype(np.int64)
    part = inner - low
    places = np.stack([low, np.minimum(low + 1, size - 1)])
    return places, np.stack([(1 - part) * counts, part * counts])


def _matrix(places: Array, weights: Array, size: int) -> Array:
    """[bins, size]: how much of each pixel goes into each bin's mean."""
    bins, count = places.shape[1:]
    matrix = np.zeros((bins, size), weights.dtype)
    rows = np.broadcast_to(np.arange(bins)[:, None], places.shape)
    np.add.at(matrix, (rows, places), weights / count)
    return matrix


def _largest(image: Array, down: tuple[Array, Array], across: tuple[Array, Array]) -> Array:
    (ys, wy), (xs, wx) = down, across
    found = [
        image[:, ys[i][:, :, None, None], xs[j]] * (wy[i][:, :, None, None] * wx[j])
        for i in range(2)
        for j in range(2)
    ]
    return np.asarray(np.maximum.reduce(found).max((2, 4)))


def max_roi_pool(op: MaxRoiPool, x: Array, rois: Array) -> Array:
    height, width = op.pooled_shape
    y = np.zeros((len(rois), x.shape[1], height, width), x.dtype)
    corners = rois[:, 1:] * rois.dtype.type(op.spatial_scale)
    corners = np.sign(corners) * np.floor(np.abs(corners) + 0.5)
    for number, (x1, y1, x2, y2) in enumerate(corners):
        image = x[int(rois[number, 0])]
        rows = _bins(y1, y2, height, x.shape[2])
        columns = _bins(x1, x2, width, x.shape[3])
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                part = image[:, row, column]
                if part.size:
                    y[number, :, i, j] = part.max((1, 2))
    return y


def _bins(first: float, last: float, bins: int, size: int) -> list[slice]:
    width = max(last - first + 1, 1) / bins
    ends = [(np.floor(k * width) + first, np.ceil((k + 1) * width) + first) for k in range(bins)]
    return [slice(*(int(np.clip(end, 0, size)) for end in pair)) for pair in ends]


KERNELS: dict[type[Op], Callable[..., Any]] = {
    RoiAlign: widened(roi_align),
    MaxRoiPool: widened(max_roi_pool),
}
