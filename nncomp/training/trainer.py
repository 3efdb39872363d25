"""The training loop: epochs, validation, checkpoints, early stopping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from nncomp.errors import error
from nncomp.files import write_atomic
from nncomp.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from nncomp.training.data import Batch, DataSet, batches, size_of
from nncomp.training.images import shift
from nncomp.training.learner import Learner, Numbers
from nncomp.training.log import Log, Record, epochs
from nncomp.types import Array

Schedule = Literal["constant", "cosine"]


@dataclass(frozen=True)
class Options:
    """How to train.

    batch_size: samples a step; the last of an epoch may be smaller
    rates: the learning rates by the name of their input, as they are at the start
    schedule: "constant", or "cosine", which takes the rates down to zero over the whole run
    shift: images are moved by up to so many pixels, anew in each epoch
    patience: stop when the validation loss has not fallen for so many epochs; None for never
    seed: of the shuffling, the shifts, and the random streams of the step
    """

    epochs: int = 20
    batch_size: int = 64
    rates: Mapping[str, float] = field(default_factory=dict)
    schedule: Schedule = "constant"
    shift: int = 0
    patience: int | None = None
    seed: int = 0


class Reporter(Protocol):
    """Who is told how it goes."""

    def start(self, done: int, total: int) -> None:
        """A run of `total` steps, `done` of which were taken before."""

    def step(self, results: Numbers, samples: int) -> None: ...

    def epoch(self, record: Record) -> None: ...

    def finish(self) -> None: ...


class Silent:
    """Reports nothing."""

    def start(self, done: int, total: int) -> None: ...

    def step(self, results: Numbers, samples: int) -> None: ...

    def epoch(self, record: Record) -> None: ...

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    best: the state with the lowest validation loss, and the epoch it is of
    test: losses and metrics of that state on the test samples
    """

    best: dict[str, Array]
    best_epoch: int
    test: Numbers
    records: list[Record]


class Trainer:
    """Trains a learner on a data set.

    folder: gets `last.safetensors`, `best.safetensors` and `log.jsonl`; None for no files
    """

    def __init__(
        self,
        learner: Learner,
        data: DataSet,
        options: Options,
        folder: Path | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self.learner = learner
        self.data = data
        self.options = options
        self.folder = folder
        self.reporter = reporter or Silent()
        count = size_of(data.train)
        self.steps_per_epoch = math.ceil(count / options.batch_size)
        self.total = self.steps_per_epoch * options.epochs
        self._run: Mapping[str, Any] = {
            "data": data.name,
            "seed": options.seed,
            "batch_size": options.batch_size,
        }

    def run(self, resume: bool = False) -> Outcome:
        """Trains to the end.

        resume: goes on from the folder's `last.safetensors`, bit for bit as if never stopped
            (with the cosine schedule: if the number of epochs is the same)
        Raises CompileError NN0001; NN0404 if a loss is not finite or the run cannot be resumed.
        """
        progress = Progress(0, 0, 0, math.inf, self._run)
        best = self.learner.state()
        if resume:
            state, progress = load_checkpoint(self._file("last"), self._run)
            best = load_checkpoint(self._file("best"), self._run)[0]
            self.learner.restore(state, progress.step)
        log = self._open_log(progress.step)
        self.reporter.start(progress.step, self.total)
        try:
            for epoch in range(progress.epoch, self.options.epochs):
                if self._stale(progress):
                    break
                train = self._epoch(epoch, log)
                validation = self._evaluate(self.data.validation)
                record = self._record(epoch + 1, train, validation)
                log.append(record)
                better = _loss(validation) < progress.best_loss
                progress = Progress(
                    epoch + 1,
                    self.learner.steps,
                    epoch + 1 if better else progress.best_epoch,
                    _loss(validation) if better else progress.best_loss,
                    self._run,
                )
                best = self._save(progress, better) or best
                self._write_log(log)
                self.reporter.epoch(record)
        finally:
            self.reporter.finish()
        last, steps = self.learner.state(), self.learner.steps
        self.learner.restore(best, steps)
        test = self._evaluate(self.data.test)
        self.learner.restore(last, steps)
        return Outcome(best, progress.best_epoch, test, log)
