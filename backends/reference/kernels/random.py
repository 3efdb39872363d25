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


class _Stream:
    """Numbers of one stream, a chunk at a time in buffers that stay in the processor's cache."""

    def __init__(self, key: int, size: int) -> None:
        self._key = key
        self._steps = np.arange(size, dtype=np.uint64) * np.uint64(key)
        self._x, self._y, self._z, self._half = np.empty((4, size), np.uint64)

    def uniform(self, start: int, out: Array) -> None:
        """Fills `out`, at most a chunk, with the uniforms from one counter on: the same as the
        top bits of `stream_bits`, whose counters times the key are sums here."""
        size = len(out)
        x, y, z, half = (a[:size] for a in (self._x, self._y, self._z, self._half))
        np.add(self._steps[:size], np.uint64(start * self._key % 2**64), out=y)
        np.add(y, np.uint64(self._key), out=z)
        np.multiply(y, y, out=x)
        for term in (y, z, y):
            x += term
            np.right_shift(x, np.uint64(HALF), out=half)
            x <<= np.uint64(HALF)
            x |= half
            x *= x
        x += z
        x >>= np.uint64(64 - UNIFORM_BITS)
        out[:] = x
        out *= np.float32(2.0**-UNIFORM_BITS)


def random(op: Random, seed: Array, step: Array, shape: Array) -> Array:
    sizes = [int(size) for size in shape]
    numbers = np.empty(int(np.prod(sizes, dtype=np.int64)), np.float32)
    chunk = min(_CHUNK, numbers.size)
    stream = _Stream(stream_key(int(seed), int(step), op.site), chunk)
    angles = np.empty(chunk, np.float32)
    for first in range(0, numbers.size, _CHUNK):
        part = numbers[first : first + _CHUNK]
        stream.uniform(first + 1, part)
        if op.distribution == "normal":
            angle = angles[: part.size]
            stream.uniform(first + SECOND + 1, angle)
            angle *= np.float32(2 * np.pi)
            np.log(np.subtract(np.float32(1), part, out=part), out=part)
            part *= np.float32(-2)
            np.sqrt(part, out=part)
            part *= np.cos(angle, out=angle)
    return numbers.reshape(sizes)


KERNELS: dict[type[Op], Callable[..., Any]] = {Random: random}
