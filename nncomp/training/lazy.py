"""Samples that are read when they are needed: what of a data set does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.types import Array

HELD = 1 << 30  # bytes that an array of samples may take in memory, as the model wants them


Place = Callable[[int], str]  # where the sample of a number stands, in words


class LazyArray:
    """Stands for an array whose samples, along the first axis, are read when they are asked for:
    `lazy[rows]`, where `rows` are numbers or a slice.

    read: the samples of these numbers; rows: the numbers of those that this has, in order
    example: one of them, [1, …], for type and shape
    """

    def __init__(
        self, read: Callable[[Array], Array], rows: Array, example: Array, place: Place
    ) -> None:
        self._read, self._rows, self._example, self._place = read, rows, example, place

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._rows), *self._example.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        found: np.dtype[Any] = self._example.dtype
        return found

    @property
    def ndim(self) -> int:
        return self._example.ndim

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Array | slice) -> Array:
        return self._read(self._rows[rows])

    def part(self, rows: Array) -> LazyArray:
        """Those of these numbers, still to be read."""
        return LazyArray(self._read, self._rows[rows], self._example, self._place)

    def mapped(self, change: Callable[[Array, Place], Array]) -> LazyArray:
        """Each changed when it is read, by a function of several of them, [n, …], and of where
        each of those stands."""
        read, place = self._read, self._place

        def changed(rows: Array) -> Array:
            return change(read(rows), lambda row: place(int(rows[row])))

        return LazyArray(changed, self._rows, change(self._example, place), place)


Samples = Array | LazyArray


def part_of(array: Samples, rows: Array) -> Samples:
    """The samples of these numbers."""
    return array.part(rows) if isinstance(array, LazyArray) else array[rows]
