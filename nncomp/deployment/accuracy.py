"""How far the outputs of a model in less precision are from those that it had, and its metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nncomp.types import Array


@dataclass(frozen=True)
class OutputChange:
    """One output over all samples.

    largest: the largest error, as a part of the largest number; mean: the mean error, as a part
        of the mean size. Of integers: the share that is another, twice
    cosine: of the angle between both, 1 for the same direction
    """

    name: str
    largest: float
    mean: float
    cosine: float

    def to_json(self) -> dict[str, Any]:
        return {"output": self.name, "max": self.largest, "mean": self.mean, "cosine": self.cosine}


@dataclass(frozen=True)
class MetricChange:
    """A loss or metric of the model, before and after."""

    name: str
    before: float
    after: float

    def to_json(self) -> dict[str, Any]:
        return {"metric": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Accuracy:
    """What less precision changes.

    measured: on what, in words
    notes: what could not be measured, and why
    """

    measured: str
    outputs: tuple[OutputChange, ...]
    metrics: tuple[MetricChange, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "measured": self.measured,
            "outputs": [change.to_json() for change in self.outputs],
            "metrics": [change.to_json() for change in self.metrics],
            "notes": list(self.notes),
        }


@dataclass
class _Sums:
    size: int = 0
    most: float = 0.0
    largest: float = 0.0
    errors: float = 0.0
    sizes: float = 0.0
    dot: float = 0.0
    squares: list[float] = field(default_factory=lambda: [0.0, 0.0])
    integers: bool = False


class Comparison:
    """Adds up how far outputs are apart, batch by batch. Where the wanted numbers are not finite
    nothing is compared; what is finite in them only is infinitely far."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = {}

    def add(self, found: Mapping[str, Array], wanted: Mapping[str, Array]) -> None:
        for name, array in wanted.items():
            if array.dtype.kind != "O":  # no texts, no sequences
                self._add(self._sums.setdefault(name, _Sums()), found[name], array)

    def _add(self, sums: _Sums, found: Array, wanted: Array) -> None:
        sums.integers = wanted.dtype.kind in "iub"
        if sums.integers:
            sums.size += wanted.size
            sums.errors += float(np.count_nonzero(found != wanted))
            return
        finite = np.isfinite(wanted.astype(np.float64))
        x, y = (a.astype(np.float64)[finite] for a in (found, wanted))
        apart = np.abs(x - y)
        apart[np.isnan(apart)] = math.inf
        sums.size += y.size
        sums.most = max(sums.most, float(apart.max(initial=0.0)))
        sums.largest = max(sums.largest, float(np.abs(y).max(initial=0.0)))
        sums.errors += float(apart.sum())
        sums.sizes += float(np.abs(y).sum())
        sums.dot += float(x @ y)
        sums.squares[0] += float(x @ x)
        sums.squares[1] += float(y @ y)

    def changes(self) -> tuple[OutputChange, ...]:
        return tuple(_change(name, sums) for name, sums in self._sums.items())


def _change(name: str, sums: _Sums) -> OutputChange:
    if sums.integers:
        share = sums.errors / max(sums.size, 1)
        return OutputChange(name, share, share, 1 - share)
    norms = math.sqrt(sums.squares[0] * sums.squares[1])
    cosine = sums.dot / norms if norms else float(sums.squares[0] == sums.squares[1])
    return OutputChange(
        name, _part(sums.most, sums.largest), _part(sums.errors, sums.sizes), cosine
    )


def _part(error: float, size: float) -> float:
    return error / size if size else error
