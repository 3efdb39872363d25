"""What a run finds: places, unique slices, boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.elementwise import plain
from nncomp.ir.op import Op
from nncomp.ops import selection as s
from nncomp.types import Array


def compress(op: s.Compress, x: Array, condition: Array) -> Array:
    size = x.size if op.axis is None else x.shape[op.axis]
    if len(condition) > size:
        raise ValueError(f"{len(condition)} conditions do not fit {size} elements")
    return np.compress(condition, x, op.axis)


def unique(op: s.Unique, x: Array) -> tuple[Array, Array, Array, Array]:
    y, first, inverse, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=op.axis
    )
    inverse = inverse.reshape(-1)
    if not op.sorted:
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        y = np.take(y, order, 0 if op.axis is None else op.axis)
        first, inverse, counts = first[order], rank[inverse], counts[order]
    first, inverse, counts = (v.astype(np.int64, copy=False) for v in (first, inverse, counts))
    return y, first, inverse, counts


def non_max_suppression(
    op: s.NonMaxSuppression,
    boxes: Array,
    scores: Array,
    most: Array | None = None,
    overlap: Array | None = None,
    least: Array | None = None,
) -> Array:
    limit = 0 if most is None else max(0, int(most.item()))
    threshold = 0.0 if overlap is None else float(overlap.item())
    chosen: list[tuple[int, int, int]] = []
    for batch, (own, table) in enumerate(zip(_corners(op, boxes), scores, strict=True)):
        for number, row in enumerate(table):
            order = np.argsort(-row, kind="stable")
            if least is not None:
                order = order[row[order] > least.item()]
            kept: list[int] = []
            for box in order:
                if len(kept) == limit:
                    break
                if not (_shares(own[box], own[kept]) > threshold).any():
                    kept.append(int(box))
            chosen += [(batch, number, box) for box in kept]
    return np.array(chosen, np.int64).reshape(-1, 3)


def _corners(op: s.NonMaxSuppression, boxes: Array) -> Array:
    """[…, 4]: the two lower ends, then the two upper ones."""
    if op.center_point_box:
        half = boxes[..., 2:] / 2
        return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], -1)
    ends = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([np.minimum(*ends), np.maximum(*ends)], -1)


def _shares(box: Array, others: Array) -> Array:
    """The shared part of the union with each of the others; 0 for a box without area."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    both = np.maximum(high - low, 0).prod(1)
    areas = [np.prod(b[..., 2:] - b[..., :2], -1) for b in (box, others)]
    union = areas[0] + areas[1] - both
    valid = (areas[0] > 0) & (areas[1] > 0) & (union > 0)
    return np.asarray(np.where(valid, both / np.where(valid, union, 1), 0))


KERNELS: dict[type[Op], Callable[..., Any]] = {
    s.NonZero: plain(lambda x: np.array(np.nonzero(np.atleast_1d(x)), np.int64)),
    s.Compress: compress,
    s.Unique: unique,
    s.NonMaxSuppression: non_max_suppression,
}
