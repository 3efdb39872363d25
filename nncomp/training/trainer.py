"""The training loop: epochs, validation, checkpoints, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nncomp.errors import CompileError, Diagnostic, error
from nncomp.training import schedules
from nncomp.training.averages import average_path, averaged
from nncomp.training.checkpoint import (
    Progress,
    load_checkpoint,
    remove_unfinished,
    require_same_state,
    save_checkpoint,
)
from nncomp.training.data import Batch, DataSet, Part, size_of
from nncomp.training.failure import Failure, not_finite, still_finite
from nncomp.training.feed import ArrayFeed, Feed, in_order
from nncomp.training.interrupt import Interrupt, deferred_interrupt
from nncomp.training.learner import Learner, Numbers
from nncomp.training.lock import sole_run
from nncomp.training.log import Log, Record
from nncomp.training.options import Options
from nncomp.training.reporter import Reporter, Reporters
from nncomp.training.results import infinite, means, objective
from nncomp.types import Array

BEST, LAST, LOG = "best.safetensors", "last.safetensors", "log.jsonl"


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    best: the state with the lowest validation loss (training loss, where there is no validation),
        and the epoch it is of
    test: losses and metrics of that state on the test samples; {} if there are none
    records: the log
    """

    best: dict[str, Array]
    best_epoch: int
    test: Numbers
    records: list[Record]


class Trainer:
    """Trains a learner on a data set.

    folder: gets `last.safetensors` and `best.safetensors` after each epoch, and `log.jsonl`
    feed: the training samples, where they are not those of the data set
    diagnose: finds what made a number infinite or not a number
    """

    def __init__(
        self,
        learner: Learner,
        data: DataSet,
        options: Options,
        folder: Path,
        reporter: Reporter | None = None,
        *,
        feed: Feed | None = None,
        diagnose: Callable[[Failure], Diagnostic | None] | None = None,
    ) -> None:
        self.learner = learner
        self.data = data
        self.options = options
        self.folder = folder
        self.reporter: Reporter = reporter or Reporters()
        self.feed: Feed = feed or ArrayFeed(
            data,
            options.batch_size,
            seed=options.seed,
            shuffle=options.shuffle,
            augmentation=options.augmentation,
        )
        self.diagnose = diagnose
        steps = self.feed.steps
        self.steps = None if steps is None else steps * options.epochs
        if self.steps is None and options.schedule != "constant":
            raise error(
                "NN0404",
                f"the {options.schedule} schedule needs to know how many steps there are",
                help="give `steps`, the number of batches of an epoch",
            )
        self._same: dict[str, Any] = {
            "data": self.feed.name,
            "seed": options.seed,
            "batch size": options.batch_size,
            "number of batches": steps,
        }

    def run(self, resume: bool = False) -> Outcome:
        """Trains to the end.

        resume: goes on from the folder's `last.safetensors`, bit for bit as if never stopped (if
            the options are the same, and the batches, where they come from an iterable)
        Raises CompileError NN0001, NN0501; NN0404 if a loss is not finite or the run cannot be
        resumed. Ctrl-C, SIGTERM and errors of the data leave a checkpoint of the last step.
        """
        with sole_run(self.folder, create=not resume):
            return self._run(resume)

    def _run(self, resume: bool) -> Outcome:
        self._best = self.learner.state()
        self._progress = Progress(0, 0, 0, math.inf, self._same)
        if resume:
            self._restore()
        remove_unfinished(self.folder, (LAST, BEST, LOG))
        self._log = Log(self.folder / LOG, self._progress.step, self._progress.epoch)
        self._results = _steps_of_epoch(self._log, self._progress)
        self._saved = (self.learner.state(), self._progress)
        self._saved_at = time.monotonic()
        with deferred_interrupt() as interrupt:
            self.reporter.start(self._progress.step, self.steps)
            try:
                while self._progress.epoch < self.options.epochs and not self._stale():
                    self._epoch(interrupt)
            finally:
                self.reporter.finish()
        test = self._test() if self.data.test else {}
        return Outcome(self._best, self._progress.best_epoch, test, self._log.records)

    def _restore(self) -> None:
        if not (self.folder / LAST).exists():
            raise error(
                "NN0001",
                f"there is nothing to resume in {self.folder}: it holds no {LAST}",
                help="leave --resume out to start, or name the folder of the first run",
            )
        state, self._progress = load_checkpoint(self.folder / LAST, self._same)
        require_same_state(self.folder / LAST, state, self.learner.state())
        if self._progress.best_epoch:
            self._best, _ = load_checkpoint(self.folder / BEST, self._same)
        self.learner.restore(state, self._progress.step)

    def _epoch(self, interrupt: Interrupt) -> None:
        """One epoch, or the rest of it, with its validation."""
        epoch = self._progress.epoch + 1
        train = self._train(epoch, interrupt)
        validation = self._evaluate(self.data.validation) if self.data.validation else {}
        record = {
            "epoch": epoch,
            "step": self.learner.steps,
            **self._rates(self.learner.steps - 1),
            "train": train,
            "validation": validation,
        }
        self._log.add(record)
        loss = objective(validation or train)
        best = (self._progress.best_epoch, self._progress.best_loss)
        improved = loss < self._progress.best_loss or self.options.keep == "last"
        if improved:
            best = (epoch, loss)
        self._progress = Progress(epoch, self.learner.steps, *best, self._same)
        self._results = []
        state = self.learner.state()
        if improved:
            self._best = averaged(state)
            save_checkpoint(self.folder / BEST, self._best, self._progress)
        self._save(state)
        self.reporter.epoch(record)

    def _save(self, state: dict[str, Array]) -> None:
        """A checkpoint of where the run stands; the log first, which must not lack a step."""
        self._log.flush()
        save_checkpoint(self.folder / LAST, state, self._progress)
        self._saved = (state, self._progress)
        self._saved_at = time.monotonic()

    def _train(self, epoch: int, interrupt: Interrupt) -> Numbers:
        """The steps of one epoch, or the rest of them; the means of the results of all."""
        with closing(self.feed.epoch(epoch, len(self._results))) as feed:  # type: ignore[type-var]
            while True:
                rates = self._rates(self.learner.steps)
                try:
                    batch = next(feed, None)
                    if batch is None:
                        break
                    found = self.learner.step(batch, **rates)
                except Exception:  # of the data, or the runtime: the state is that of the last step
                    self._save_within_epoch()
                    raise
                self._took(found, f"in step {self.learner.steps} (epoch {epoch})", rates, batch)
                if interrupt.asked:
                    self._save_within_epoch()
                    raise KeyboardInterrupt
                if time.monotonic() - self._saved_at >= self.options.checkpoint_seconds:
                    self._save_within_epoch()
        return means(self._results)

    def _save_within_epoch(self) -> None:
        step, batch = self.learner.steps, len(self._results)
        self._progress = replace(self._progress, step=step, batch=batch)
        self._save(self.learner.state())

    def _took(self, found: Numbers, where: str, rates: Mapping[str, float], batch: Batch) -> None:
        number, samples = self.learner.steps, size_of(batch)
        if infinite(found):
            raise self._failed(Failure(found, where, rates, batch, self.learner.before(), number))
        self._log.add({"step": number, "samples": samples, **found})
        self._results.append((found, samples))
        self.reporter.step(number, found, samples)

    def _rates(self, step: int) -> dict[str, float]:
        """The learning rates of a step, counted from 0."""
        options = self.options
        share = schedules.factor(options.schedule, step, self.steps or 0, options.warmup)
        return {name: rate * share for name, rate in options.rates.items()}

    def _evaluate(self, part: Part) -> Numbers:
        results = []
        for batch in in_order(part, self.options.batch_size):
            found = self.learner.evaluate(batch)
            results.append((found, size_of(batch)))
            if infinite(found):
                state, steps = self.learner.state(), self.learner.steps
                where = f"in the evaluation after step {steps}"
                raise self._failed(Failure(found, where, {}, batch, state, steps, evaluation=True))
        return means(results)

    def _failed(self, failure: Failure) -> CompileError:
        """The error of a loss that is not finite. The state before the step is kept, if it is good,
        and the operator is looked for that made the first bad number."""
        good = still_finite(failure.before, self._saved[0])
        if good and not failure.evaluation:
            self.learner.restore(failure.before, failure.step - 1)
            self._save_within_epoch()
        culprit = failure if good else self._replayed(failure)
        found = self.diagnose(culprit) if self.diagnose and culprit else None
        return not_finite(failure, found)

    def _replayed(self, failure: Failure) -> Failure | None:
        """The first step since the last checkpoint whose result is bad, though its loss may not be;
        None if it does not happen again."""
        state, progress = self._saved
        self.learner.restore(state, progress.step)
        epoch = progress.epoch + 1
        with closing(self.feed.epoch(epoch, progress.batch)) as feed:  # type: ignore[type-var]
            for batch in feed:
                if self.learner.steps >= failure.step:
                    break
                before, rates = self.learner.state(), self._rates(self.learner.steps)
                found = self.learner.step(batch, **rates)
                if infinite(found) or not still_finite(self.learner.state(), before):
                    where = f"in step {self.learner.steps} (epoch {epoch})"
                    return Failure(found, where, rates, batch, before, self.learner.steps)
        return None

    def _test(self) -> Numbers:
        last, steps = self.learner.state(), self.learner.steps
        averages = {average_path(path): array for path, array in self._best.items()}
        averages = {path: array for path, array in averages.items() if path in last}
        self.learner.restore({**last, **self._best, **averages}, steps)
        test = self._evaluate(self.data.test)
        self.learner.restore(last, steps)
        return test

    def _stale(self) -> bool:
        patience = self.options.patience
        return patience is not None and self._progress.epoch - self._progress.best_epoch >= patience


def _steps_of_epoch(log: Log, progress: Progress) -> list[tuple[Numbers, int]]:
    """The results and sizes of the steps since the last whole epoch, from the log. Raises
    CompileError NN0404 if they are not all there: nobody could tell how far the epoch has come."""
    first = progress.step - progress.batch + 1
    steps = [dict(r) for r in log.records if "epoch" not in r and r["step"] >= first]
    if len(steps) != progress.batch:
        raise error(
            "NN0404",
            f"cannot resume: {log.path} has {len(steps)} of the {progress.batch} steps from step "
            f"{first} on",
        )
    return [
        ({name: n for name, n in record.items() if name not in ("step", "samples")}, size)
        for record in steps
        for size in (record["samples"],)
    ]
