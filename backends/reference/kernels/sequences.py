"""Batches of sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops.sequences import ReverseSequence
from nncomp.types import Array


def reverse_sequence(op: ReverseSequence, x: Array, lengths: Array) -> Array:
    size = x.shape[op.time_axis]
    if lengths.size and (lengths.min() < 0 or lengths.max() > size):
        raise ValueError(f"a length is out of range for sequences of {size}")
    time, lengths = np.arange(size), np.expand_dims(lengths, op.time_axis)
    time = np.expand_dims(time, op.batch_axis)
    places = np.where(time < lengths, lengths - 1 - time, time)
    places = places.reshape(places.shape + (1,) * (x.ndim - 2))
    return np.take_along_axis(x, places, op.time_axis)


KERNELS: dict[type[Op], Callable[..., Any]] = {ReverseSequence: reverse_sequence}
