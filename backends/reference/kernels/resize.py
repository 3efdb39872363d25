"""Resize and the operators that move blocks between channels and space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.precision import widened
from nncomp.backends.reference.kernels.windows import crop, ints, outputs, padded_sizes, view
from nncomp.backends.reference.kernels.windows import taps as window_taps
from nncomp.ops.resize import Resize
from nncomp.ops.resize_axis import Taps, taps
from nncomp.ops.resize_blocks import Col2Im, DepthToSpace, SpaceToDepth
from nncomp.ops.windows import known
from nncomp.types import Array


@widened
def resize(
    op: Resize,
    x: Array,
    roi: Array | None = None,
    scales: Array | None = None,
    sizes: Array | None = None,
) -> Array:
    given = [None if a is None or a.size == 0 else a.tolist() for a in (roi, scales, sizes)]
    y = x
    for target in op.targets(x.shape, *given):
        if target.is_identity:
            continue
        size, count = known(target.size), known(target.outputs)
        assert target.scale is not None
        found = taps(op.sampling, size, count, target.scale, target.roi)
        y = _interpolated(y, target.axis, found, op.extrapolation_value)
    if y.dtype == x.dtype:
        return y.copy() if y is x else y
    limits = np.iinfo(x.dtype)
    return np.clip(np.rint(y), limits.min, limits.max).astype(x.dtype)


def _interpolated(x: Array, axis: int, found: Taps, extrapolation: float) -> Array:
    column = (-1, *(1,) * (x.ndim - axis - 1))
    weights = found.weights
    if found.outside is None and np.all(weights.max(axis=1) == 1):  # each takes one element
        chosen = np.take_along_axis(found.indices, weights.argmax(axis=1)[:, None], axis=1)
        return np.take(x, chosen[:, 0], axis=axis)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    y = None
    for tap in range(weights.shape[1]):
        if not weights[:, tap].any():
            continue
        part = np.take(x, found.indices[:, tap], axis=axis) * weights[:, tap].astype(dtype).reshape(
            column
        )
        y = part if y is None else np.add(y, part, out=y)
    if y is None:
        y = np.zeros((*x.shape[:axis], len(weights), *x.shape[axis + 1 :]), dtype)
    if found.outside is not None and found.outside.any():
        y = np.where(found.outside.reshape(column), dtype.type(extrapolation), y)
    return y


@widened
def col2im(op: Col2Im, columns: Array, image_shape: Array, block_shape: Array) -> Array:
    windows = op.windows(ints(image_shape), ints(block_shape))
    count = int(np.prod(block_shape))
    blocks = columns.reshape(columns.shape[0], -1, count, *outputs(windows))
    padded = np.zeros((*blocks.shape[:2], *padded_sizes(windows)), columns.dtype)
    for tap, slices in enumerate(window_taps(windows)):
        met = view(padded, slices)
        met += blocks[:, :, tap]
    return crop(padded, windows)


def depth_to_space(op: DepthToSpace, x: Array) -> Array:
    n, c, h, w = x.shape
    k = op.blocksize
    if op.mode == "DCR":
        blocks = x.reshape(n, k, k, c // k**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(n, c // k**2, k, k, h, w).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, c // k**2, h * k, w * k)


def space_to_depth(op: SpaceToDepth, x: Array) -> Array:
    n, c, h, w = x.shape
    k = op.blocksize
    blocks = x.reshape(n, c, h // k, k, w // k, k).transpose(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, c * k * k, h // k, w // k)


KERNELS: dict[type[Any], Callable[..., Any]] = {
    Resize: resize,
    Col2Im: col2im,
    DepthToSpace: depth_to_space,
    SpaceToDepth: space_to_depth,
}
