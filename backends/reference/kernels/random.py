"""The counter-based stream: the bits of `nncomp.ops.random`, computed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops.random import COLUMNS, HALF, KEY, UNIFORM_BITS, Random, site_offset
from nncomp.types import Array

_ROWS = 32  # that are made at a time: what the processor's cache holds


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


def stream_words(key: int, start: int, count: int) -> Array:
    """`count` random words of a stream from one number on, u64."""
    return squares(np.arange(start + 1, start + 1 + count, dtype=np.uint64), key)


def stream_bits(key: int, count: int, start: int = 0) -> Array:
    """`count` numbers of a stream from one place on, as 64 bits of which the upper are used."""
    first, last = start // COLUMNS, -(-(start + count) // COLUMNS)
    rows = _Rows(key, min(last - first, _ROWS))
    bits = np.empty((last - first, COLUMNS), np.uint64)
    for row in range(0, len(bits), _ROWS):
        rows.bits(first + row, bits[row : row + _ROWS])
    return bits.ravel()[start - first * COLUMNS :][:count]


class _Rows:
    """Numbers of one stream, some rows at a time in buffers that stay in the processor's cache."""

    def __init__(self, key: int, size: int) -> None:
        self._key = key
        self._addends, self._offsets = stream_words(key, 0, 2 * COLUMNS).reshape(2, COLUMNS)
        self._bits = np.empty((size, COLUMNS), np.uint64)

    def bits(self, first: int, out: Array) -> None:
        """Fills `out` with rows from one on."""
        words = stream_words(self._key, 2 * (COLUMNS + first), 2 * len(out)).reshape(-1, 2)
        np.add(words[:, :1], self._addends, out=out)
        out *= out
        out >>= np.uint64(HALF)
        out += self._offsets
        out *= 2 * words[:, 1:] + np.uint64(1)

    def uniform(self, first: int, out: Array) -> None:
        """Fills `out` with uniforms."""
        bits = self._bits[: len(out)]
        self.bits(first, bits)
        bits >>= np.uint64(64 - UNIFORM_BITS)
        out[:] = bits
        out *= np.float32(2.0**-UNIFORM_BITS)


def random(op: Random, seed: Array, step: Array, shape: Array) -> Array:
    sizes = [int(size) for size in shape]
    count = int(np.prod(sizes, dtype=np.int64))
    numbers = np.empty((-(-count // COLUMNS), COLUMNS), np.float32)
    rows = _Rows(stream_key(int(seed), int(step), op.site), min(_ROWS, len(numbers)))
    for first in range(0, len(numbers), _ROWS):
        part = numbers[first : first + _ROWS]
        rows.uniform(first, part)
        if op.distribution == "normal":
            _box_muller(part)
    return numbers.ravel()[:count].reshape(sizes)


def _box_muller(numbers: Array) -> None:
    """Normal numbers in place of the uniforms of some rows."""
    radius, angle = np.split(numbers, 2, axis=1)
    angle *= np.float32(2 * np.pi)
    np.log(np.subtract(np.float32(1), radius, out=radius), out=radius)
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    sine = np.sin(angle)
    sine *= radius
    radius *= np.cos(angle, out=angle)
    angle[:] = sine


KERNELS: dict[type[Op], Callable[..., Any]] = {Random: random}
