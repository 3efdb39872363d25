"""Reporting a training run on a terminal: a bar with loss, metrics, speed and time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from nncomp.training.learner import Numbers
from nncomp.training.log import Record

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_SMOOTHING = 0.95  # of the numbers beside the bar, over steps
_REDRAWN = 0.1  # seconds between two looks of the bar, which cost more than a small step


class Bar:
    """A progress bar, and a line for each epoch above it, on standard error or a console."""

    def __init__(self, epochs: int, console: Console | None = None) -> None:
        self.epochs = epochs
        self._console = console
        self._shown: Numbers = {}
        self._progress: RichProgress | None = None
        self._task: TaskID | None = None

    def start(self, done: int, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[results]}"),
            TextColumn("[cyan]{task.fields[speed]}[/cyan]"),
            TimeRemainingColumn(),
            console=self._console or Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._samples, self._since = 0, time.perf_counter()
        self._number, self._drawn = done, 0.0
        self._task = self._progress.add_task("", total=total, completed=done, results="", speed="")
        self._progress.start()

    def step(self, number: int, results: Numbers, samples: int) -> None:
        for name, value in results.items():
            before = self._shown.get(name, value)
            self._shown[name] = _SMOOTHING * before + (1 - _SMOOTHING) * value
        self._samples += samples
        self._number = number
        if time.perf_counter() - self._drawn >= _REDRAWN:
            self._draw()

    def _draw(self) -> None:
        assert self._progress is not None
        assert self._task is not None
        self._drawn = time.perf_counter()
        speed = self._samples / max(self._drawn - self._since, 1e-9)
        self._progress.update(
            self._task,
            completed=self._number,
            results=numbers(self._shown),
            speed=f"{speed:,.0f} samples/s",
        )

    def epoch(self, record: Record) -> None:
        assert self._progress is not None
        self._draw()
        self._progress.console.print(epoch_line(record, self.epochs), highlight=False)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress.stop()


class Lines:
    """A line for each epoch: for files and pipes."""

    def __init__(self, epochs: int, stream: TextIO | None = None) -> None:
        self.epochs = epochs
        self.stream = stream or sys.stderr

    def start(self, done: int, total: int | None) -> None:
        self._samples, self._since = 0, time.perf_counter()

    def step(self, number: int, results: Numbers, samples: int) -> None:
        self._samples += samples

    def epoch(self, record: Record) -> None:
        speed = self._samples / max(time.perf_counter() - self._since, 1e-9)
        print(epoch_line(record, self.epochs), f"· {speed:,.0f} samples/s", file=self.stream)

    def finish(self) -> None: ...


def epoch_line(record: Mapping[str, Any], epochs: int) -> str:
    """`epoch  3/20 · train loss 0.2512 accuracy 0.931 · validation …`."""
    width = len(str(epochs))
    line = f"epoch {record['epoch']:{width}}/{epochs} · train {numbers(record['train'])}"
    if record["validation"]:
        line += f" · validation {numbers(record['validation'])}"
    return line


def numbers(results: Mapping[str, float]) -> str:
    """`loss 0.2512 accuracy 0.9312`."""
    return " ".join(f"{name} {value:.4f}" for name, value in results.items())
