"""The training loop: epochs, validation, checkpoints, early stopping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from nncomp.errors import error
from nncomp.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from nncomp.training.data import Batch, DataSet, batches, size_of
from nncomp.training.images import shift
from nncomp.training.learner import Learner, Numbers
from nncomp.training.log import Log, Record
from nncomp.types import Array

Schedule = Literal["constant", "cosine"]
BEST, LAST, LOG = "best.safetensors", "last.safetensors", "log.jsonl"


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
    """Who is told how a run goes."""

    def start(self, done: int, total: int) -> None:
        """A run of `total` steps, `done` of which were taken before."""

    def step(self, results: Numbers, samples: int) -> None:
        """A step was taken."""

    def epoch(self, record: Record) -> None:
        """An epoch has ended; what stands in the log about it."""

    def finish(self) -> None:
        """The run has ended, well or not."""


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
    records: the log
    """

    best: dict[str, Array]
    best_epoch: int
    test: Numbers
    records: list[Record]


class Trainer:
    """Trains a learner on a data set.

    folder: gets `last.safetensors` and `best.safetensors` after each epoch, and `log.jsonl`
    """

    def __init__(
        self,
        learner: Learner,
        data: DataSet,
        options: Options,
        folder: Path,
        reporter: Reporter | None = None,
    ) -> None:
        self.learner = learner
        self.data = data
        self.options = options
        self.folder = folder
        self.reporter: Reporter = reporter or Silent()
        self.steps = math.ceil(size_of(data.train) / options.batch_size) * options.epochs
        self._same: dict[str, Any] = {
            "data": data.name,
            "seed": options.seed,
            "batch size": options.batch_size,
        }

    def run(self, resume: bool = False) -> Outcome:
        """Trains to the end.

        resume: goes on from the folder's `last.safetensors`, bit for bit as if never stopped
            (with the cosine schedule: if the number of epochs is the same)
        Raises CompileError NN0001; NN0404 if a loss is not finite or the run cannot be resumed.
        """
        progress = Progress(0, 0, 0, math.inf, self._same)
        best = self.learner.state()
        if resume:
            if not (self.folder / LAST).exists():
                raise error(
                    "NN0001",
                    f"there is nothing to resume in {self.folder}: it holds no {LAST}",
                    help="leave --resume out to start, or name the folder of the first run",
                )
            state, progress = load_checkpoint(self.folder / LAST, self._same)
            best, _ = load_checkpoint(self.folder / BEST, self._same)
            self.learner.restore(state, progress.step)
        log = Log(self.folder / LOG, progress.step)
        self.reporter.start(progress.step, self.steps)
        try:
            while progress.epoch < self.options.epochs and not self._stale(progress):
                progress, improved = self._epoch(progress, log)
                best = improved or best
        finally:
            self.reporter.finish()
        return Outcome(best, progress.best_epoch, self._test(best), log.records)

    def _epoch(self, before: Progress, log: Log) -> tuple[Progress, dict[str, Array] | None]:
        """One epoch with its validation; the state, if it is the best so far."""
        epoch = before.epoch + 1
        train = self._train(epoch, log)
        validation = self._evaluate(self.data.validation)
        record = {
            "epoch": epoch,
            "step": self.learner.steps,
            **self._rates(self.learner.steps - 1),
            "train": train,
            "validation": validation,
        }
        log.add(record)
        log.flush()
        loss, best = objective(validation), (before.best_epoch, before.best_loss)
        improved = loss < before.best_loss
        if improved:
            best = (epoch, loss)
        progress = Progress(epoch, self.learner.steps, *best, self._same)
        state = self.learner.state()
        if improved:
            save_checkpoint(self.folder / BEST, state, progress)
        save_checkpoint(self.folder / LAST, state, progress)
        self.reporter.epoch(record)
        return progress, state if improved else None

    def _train(self, epoch: int, log: Log) -> Numbers:
        """The steps of one epoch; the means of their results."""
        rng = np.random.default_rng([self.options.seed, epoch])
        results: list[tuple[Numbers, int]] = []
        for batch in batches(self.data.train, self.options.batch_size, rng):
            moved = self._moved(batch, rng)
            rates = self._rates(self.learner.steps)
            found = self.learner.step(moved, **rates)
            number, samples = self.learner.steps, size_of(batch)
            _require_finite(found, f"in step {number} (epoch {epoch})", rates, moved)
            log.add({"step": number, **found})
            results.append((found, samples))
            self.reporter.step(found, samples)
        return _means(results)

    def _moved(self, batch: Batch, rng: np.random.Generator) -> Batch:
        if not self.options.shift:
            return batch
        most = self.options.shift
        return {name: shift(a, most, rng) if a.ndim == 4 else a for name, a in batch.items()}

    def _rates(self, step: int) -> dict[str, float]:
        """The learning rates of a step, counted from 0."""
        share = 1.0
        if self.options.schedule == "cosine":
            share = (1 + math.cos(math.pi * min(step / self.steps, 1))) / 2
        return {name: rate * share for name, rate in self.options.rates.items()}

    def _evaluate(self, part: Batch) -> Numbers:
        results = [
            (self.learner.evaluate(batch), size_of(batch))
            for batch in batches(part, self.options.batch_size)
        ]
        means = _means(results)
        _require_finite(means, f"in the evaluation after step {self.learner.steps}", {})
        return means

    def _test(self, best: dict[str, Array]) -> Numbers:
        last, steps = self.learner.state(), self.learner.steps
        self.learner.restore(best, steps)
        test = self._evaluate(self.data.test)
        self.learner.restore(last, steps)
        return test

    def _stale(self, progress: Progress) -> bool:
        patience = self.options.patience
        return patience is not None and progress.epoch - progress.best_epoch >= patience


def losses(names: Iterable[str]) -> list[str]:
    """Which results are losses: `loss`, `loss_2` … as lowering names them."""
    return [n for n in names if n == "loss" or n.removeprefix("loss_").isdigit()]


def objective(results: Numbers) -> float:
    """What is to become small: the sum of the losses."""
    return sum(results[name] for name in losses(results))


def _means(results: list[tuple[Numbers, int]]) -> Numbers:
    total = sum(samples for _, samples in results)
    names = results[0][0]
    return {n: math.fsum(found[n] * samples for found, samples in results) / total for n in names}


def _require_finite(
    results: Numbers, where: str, rates: Mapping[str, float], batch: Batch | None = None
) -> None:
    for name in losses(results):
        if not math.isfinite(results[name]):
            for given, array in (batch or {}).items():
                if array.dtype.kind == "f" and not np.isfinite(array).all():
                    raise error(
                        "NN0404",
                        f"the {name} became {results[name]} {where}",
                        help=f"the data is at fault: `{given}` has values that are not finite",
                    )
            used = ", ".join(f"{rate} = {value:g}" for rate, value in rates.items())
            raise error(
                "NN0404",
                f"the {name} became {results[name]} {where}",
                help="try a lower learning rate" + (f" than {used}" if used else ""),
            )
