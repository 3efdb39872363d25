"""The counter-based stream: the bits of `nncomp.ops.random`, computed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops.random import (
    GOLDEN,
    HALF,
    MULTIPLIERS,
    SECOND_SHIFT,
    UNIFORM_BITS,
    Random,
    site_hash,
)
from nncomp.types import Array

_WRAP = 2**64
_UNIT = np.float32(2.0**-UNIFORM_BITS)


def _mix(x: int) -> int:
    for multiplier in MULTIPLIERS:
        x = x * multiplier % _WRAP
        x = (x + (x >> HALF)) % _WRAP
    return x


def stream_key(seed: int, step: int, site: int) -> int:
    """The key of one stream, 64 bits."""
    return (_mix((_mix(seed % _WRAP) + step) % _WRAP) + site_hash(site)) % _WRAP


def stream_bits(key: int, count: int) -> Array:
    """The first `count` numbers of a stream, u64."""
    x = np.arange(count, dtype=np.uint64)
    x *= np.uint64(GOLDEN)
    x += np.uint64(key)
    for place, multiplier in enumerate(MULTIPLIERS):
        x += x >> np.uint64(HALF)
        x *= np.uint64(multiplier)
        if place == 0:
            x += np.uint64(key)
    return x


def random(op: Random, seed: Array, step: Array, shape: Array) -> Array:
    sizes = [int(size) for size in shape]
    key = stream_key(int(seed), int(step), op.site)
    bits = stream_bits(key, int(np.prod(sizes, dtype=np.int64)))
    u = (bits >> np.uint64(64 - UNIFORM_BITS)).astype(np.float32) * _UNIT
    if op.distribution == "normal":
        below = np.uint64(2 ** (64 - UNIFORM_BITS) - 1)
        v = ((bits & below) >> np.uint64(SECOND_SHIFT)).astype(np.float32) * _UNIT
        radius = np.sqrt(np.float32(-2) * np.log(np.float32(1) - u))
        u = radius * np.cos(np.float32(2 * np.pi) * v)
    return u.reshape(sizes)


KERNELS: dict[type[Op], Callable[..., Any]] = {Random: random}
