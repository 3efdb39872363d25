"""Sequences, which are lists of arrays, and optional values, of which None is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops import containers as c
from nncomp.types import Array

Items = list[Array]


def _place(position: Array, length: int) -> int:
    place = int(position.reshape(()))
    if not -length <= place < length:
        raise IndexError(f"position {place} is not in a sequence of {length}")
    return place


def insert(
    _op: c.SequenceInsert, items: Items, tensor: Array, position: Array | None = None
) -> Items:
    place = len(items)
    if position is not None and int(position.reshape(())) != place:
        place = _place(position, len(items)) % len(items)
    return [*items[:place], tensor, *items[place:]]


def erase(_op: c.SequenceErase, items: Items, position: Array | None = None) -> Items:
    place = _place(np.array(-1) if position is None else position, len(items)) % len(items)
    return [*items[:place], *items[place + 1 :]]


def at(_op: c.SequenceAt, items: Items, position: Array) -> Array:
    return items[_place(position, len(items))]


def concat(op: c.ConcatFromSequence, items: Items) -> Array:
    return np.stack(items, op.axis) if op.new_axis else np.concatenate(items, op.axis)


def split(op: c.SplitToSequence, x: Array, sizes: Array | None = None) -> Items:
    length = x.shape[op.axis]
    if sizes is None:
        parts = np.split(x, length, op.axis) if length else []
        return parts if op.keepdims else [np.squeeze(part, op.axis) for part in parts]
    if sizes.ndim:
        if sizes.sum() != length or (sizes < 0).any():
            raise ValueError(f"parts of {sizes.tolist()} do not make {length}")
        ends = np.cumsum(sizes)
    else:
        if sizes <= 0:
            raise ValueError(f"parts of {int(sizes)}")
        ends = np.append(np.arange(int(sizes), length, int(sizes)), length)
    return np.split(x, ends[:-1], op.axis)


def get(_op: c.OptionalGetElement, x: Any) -> Any:
    if x is None:
        raise ValueError("the optional value is not there")
    return x


KERNELS: dict[type[Op], Callable[..., Any]] = {
    c.SequenceEmpty: lambda op: [],
    c.SequenceConstruct: lambda op, *items: list(items),
    c.SequenceInsert: insert,
    c.SequenceErase: erase,
    c.SequenceAt: at,
    c.SequenceLength: lambda op, items: np.array(len(items), np.int64),
    c.ConcatFromSequence: concat,
    c.SplitToSequence: split,
    c.Optional: lambda op, x=None: x,
    c.OptionalHasElement: lambda op, x=None: np.array(x is not None),
    c.OptionalGetElement: get,
}
