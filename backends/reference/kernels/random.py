"""The counter-based stream: the bits of `nncomp.ops.random`, computed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops.random import HALF, KEY, SECOND, UNIFORM_BITS, Random, site_offset
from nncomp.types import Array

_CHUNK = 1 << 14  # numbers that are made at a time: what the processor's cache holds


def squares(counter: Array, key: int) -> Array:
    """Widynski's Squares before the final shift, for u64 counters."""
    x = counter * np.uint64(key)
    y = x.copy()
    z = y + np.uint64(key)
    for term in (y, z, y):
        x *= x
        x += term
        upper = x >> np.uint64(HALF)
        x <<= np.uint64(HALF)
        x |= upper
    x *= x
    x += z
    return np.asarray(x)


def stream_key(seed: int, step: int, site: int) -> int:
    """The key of one stream: 64 bits, odd."""
    key = KEY
    for part in (seed, step):
        mixed = int(squares(np.array([part % 2**64], np.uint64), key)[0])
        key = (2 * mixed + 1) % 2**64
    return (key + site_offset(site)) % 2**64


def stream_bits(key: int, count: int, start: int = 1) -> Array:
    """`count` numbers of a stream from one counter on, u64."""
    return squares(np.arange(start, start + count, dtype=np.uint64), key)


def _uniform(key: int, count: int, start: int = 1) -> Array:
    result = np.empty(count, np.float32)
    for first in range(0, count, _CHUNK):
        size = min(_CHUNK, count - first)
        bits = stream_bits(key, size, start + first)
        result[first : first + size] = bits >> np.uint64(64 - UNIFORM_BITS)
    result *= np.float32(2.0**-UNIFORM_BITS)
    return result


def random(op: Random, seed: Array, step: Array, shape: Array) -> Array:
    sizes = [int(size) for size in shape]
    count = int(np.prod(sizes, dtype=np.int64))
    key = stream_key(int(seed), int(step), op.site)
    numbers = _uniform(key, count)
    if op.distribution == "normal":
        angle = np.float32(2 * np.pi) * _uniform(key, count, SECOND + 1)
        radius = np.sqrt(np.float32(-2) * np.log(np.float32(1) - numbers))
        numbers = radius * np.cos(angle)
    return numbers.reshape(sizes)


KERNELS: dict[type[Op], Callable[..., Any]] = {Random: random}
