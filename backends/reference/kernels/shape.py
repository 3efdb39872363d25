"""Reshaping, joining, slicing and padding. Results are views where they can be."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.elementwise import plain
from nncomp.ir.op import Op
from nncomp.ops import shape as s
from nncomp.ops.shape_joining import Concat, Split, Tile
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.types import Array


def reshape(op: s.Reshape, x: Array, shape: Array) -> Array:
    wanted = [int(size) for size in shape]
    if not op.allowzero:
        wanted = [x.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return x.reshape(wanted)


def transpose(op: s.Transpose, x: Array) -> Array:
    # in its own order: BLAS rounds differently for a view, and folding must change no bit
    return np.asarray(x.transpose(op.order(x.ndim)), order="C")


def flatten(op: s.Flatten, x: Array) -> Array:
    axis = op.axis + x.ndim if op.axis < 0 else op.axis
    rows = int(np.prod(x.shape[:axis], dtype=np.int64))
    columns = int(np.prod(x.shape[axis:], dtype=np.int64))
    return x.reshape(rows, columns)


def squeeze(_op: s.Squeeze, x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, None if axes is None else tuple(int(axis) for axis in axes))


def unsqueeze(_op: s.Unsqueeze, x: Array, axes: Array) -> Array:
    return np.expand_dims(x, tuple(int(axis) for axis in axes))


def expand(_op: s.Expand, x: Array, shape: Array) -> Array:
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(int(d) for d in shape)))


def shape_of(op: s.Shape, x: Array) -> Array:
    return np.array(x.shape[op.start : op.end], np.int64)


def concat(op: Concat, *operands: Array) -> Array:
    return np.concatenate(operands, op.axis)


def split(op: Split, x: Array, sizes: Array | None = None) -> tuple[Array, ...]:
    if sizes is not None:
        parts = [int(size) for size in sizes]
    else:
        assert op.num_outputs is not None
        length = x.shape[op.axis]
        size = -(-length // op.num_outputs)
        parts = [min(size, length - start) for start in range(0, size * op.num_outputs, size)]
    return tuple(np.split(x, list(itertools.accumulate(parts))[:-1], op.axis))


def slice_(
    _op: Slice,
    x: Array,
    starts: Array,
    ends: Array,
    axes: Array | None = None,
    steps: Array | None = None,
) -> Array:
    places = range(len(starts)) if axes is None else axes
    strides = itertools.repeat(1) if steps is None else steps
    taken = [slice(None)] * x.ndim
    for start, end, place, step in zip(starts, ends, places, strides, strict=False):
        taken[int(place)] = slice(int(start), int(end), int(step))
    return np.asarray(x[tuple(taken)])


def pad(
    op: Pad, x: Array, pads: Array, value: Array | None = None, axes: Array | None = None
) -> Array:
    places = range(x.ndim) if axes is None else [int(axis) for axis in axes]
    amounts = [(0, 0)] * x.ndim
    kept = [slice(None)] * x.ndim
    for place, before, after in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
        kept[place] = slice(max(0, -int(before)), x.shape[place] - max(0, -int(after)))
        amounts[place] = (max(0, int(before)), max(0, int(after)))
    x = x[tuple(kept)]  # what negative pads take away
    if op.mode != "constant":
        return np.pad(x, amounts, op.mode)  # type: ignore[call-overload,no-any-return]
    sizes = [b + size + a for (b, a), size in zip(amounts, x.shape, strict=True)]
    if value is None or not value.any():
        result = np.zeros(sizes, x.dtype)
    else:
        result = np.full(sizes, value.item(), x.dtype)
    inside = [slice(b, b + size) for (b, _), size in zip(amounts, x.shape, strict=True)]
    result[tuple(inside)] = x
    return result


def tile(_op: Tile, x: Array, repeats: Array) -> Array:
    return np.tile(x, [int(count) for count in repeats])


KERNELS: dict[type[Op], Callable[..., Any]] = {
    s.Reshape: reshape,
    s.Transpose: transpose,
    s.Flatten: flatten,
    s.Squeeze: squeeze,
    s.Unsqueeze: unsqueeze,
    s.Expand: expand,
    s.Shape: shape_of,
    s.Size: plain(lambda x: np.array(x.size, np.int64)),
    Concat: concat,
    Split: split,
    Slice: slice_,
    Pad: pad,
    Tile: tile,
}
