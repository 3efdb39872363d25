"""Who is told how a training run goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nncomp.training.learner import Numbers
from nncomp.training.log import Record


class Reporter(Protocol):
    """Who is told how a run goes."""

    def start(self, done: int, total: int | None) -> None:
        """A run of `total` steps, if that is known, `done` of which were taken before."""

    def step(self, number: int, results: Numbers, samples: int) -> None:
        """That step was taken, counted from 1."""

    def epoch(self, record: Record) -> None:
        """An epoch has ended; what stands in the log about it."""

    def finish(self) -> None:
        """The run has ended, well or not."""


class Reporters:
    """Several as one; none to report nothing."""

    def __init__(self, reporters: Sequence[Reporter] = ()) -> None:
        self._all = tuple(reporters)

    def start(self, done: int, total: int | None) -> None:
        for reporter in self._all:
            reporter.start(done, total)

    def step(self, number: int, results: Numbers, samples: int) -> None:
        for reporter in self._all:
            reporter.step(number, results, samples)

    def epoch(self, record: Record) -> None:
        for reporter in self._all:
            reporter.epoch(record)

    def finish(self) -> None:
        for reporter in self._all:
            reporter.finish()
