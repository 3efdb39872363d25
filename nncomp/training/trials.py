"""The trials of a search: proposed by Optuna, kept in a log from which a search goes on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nncomp.errors import error
from nncomp.files import read_bytes, write_atomic
from nncomp.training.search import Choices, Space, grid, written

Method = Literal["grid", "random", "bayesian", "gp"]
TRIALS = "trials.jsonl"
STARTUP = 8  # random trials before the Bayesian ones


@dataclass(frozen=True)
class Trial:
    """One training with its hyperparameters.

    value: what is to become small or large; None if the training failed, for the reason `failure`
    results: losses and metrics on the validation samples, at the best epoch
    """

    number: int
    values: Mapping[str, str]
    value: float | None
    results: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    failure: str | None = None


class Proposer:
    """Which values a trial gets: a function of those before it, its number and the seed, so that a
    search that was stopped goes on as if it never had been."""

    def __init__(self, spaces: Sequence[Space], method: Method, seed: int, maximize: bool) -> None:
        self.spaces, self.method = spaces, method
        self._seed, self._maximize = seed % 2**32, maximize
        self._grid = grid(spaces) if method == "grid" else []
        if method != "grid":
            _optuna()
        if method == "gp":
            _require_gaussian_processes()

    def count(self, asked: int | None) -> int:
        """How many trials there are: all of a grid, at most those asked for."""
        if self.method != "grid":
            return asked or 20
        return min(asked or len(self._grid), len(self._grid))

    def values(self, before: Sequence[Trial]) -> dict[str, str]:
        """Those of the next trial."""
        number = len(before)
        if self.method == "grid":
            return self._grid[number]
        optuna = _optuna()
        (seed,) = np.random.SeedSequence([self._seed, number]).generate_state(1)
        sampler = self._sampler(optuna.samplers, int(seed))
        direction = "maximize" if self._maximize else "minimize"
        study = optuna.create_study(sampler=sampler, direction=direction)
        spread = {space.name: _distribution(optuna, space) for space in self.spaces}
        for trial in before:
            study.add_trial(self._known(optuna, trial, spread))
        asked = study.ask(spread).params
        return {space.name: _text(space, asked[space.name]) for space in self.spaces}

    def _sampler(self, samplers: Any, seed: int) -> Any:
        if self.method == "random":
            return samplers.RandomSampler(seed=seed)
        if self.method == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=STARTUP)
        return samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)

    def _known(self, optuna: Any, trial: Trial, spread: Mapping[str, Any]) -> Any:
        values: dict[str, Any] = {}
        for space in self.spaces:
            text = trial.values.get(space.name, "")
            kind = str if isinstance(space, Choices) else int if space.whole else float
            try:
                values[space.name] = kind(text)
            except ValueError:
                raise error("NN0404", f"`{text}` of trial {trial.number} is no number") from None
        states = optuna.trial.TrialState
        failed = trial.value is None
        return optuna.trial.create_trial(
            state=states.FAIL if failed else states.COMPLETE,
            params=values,
            distributions=dict(spread),
            value=trial.value,
        )


def _text(space: Space, value: Any) -> str:
    return str(value) if isinstance(space, Choices) else written(value, space.whole)


def _distribution(optuna: Any, space: Space) -> Any:
    kinds = optuna.distributions
    if isinstance(space, Choices):
        return kinds.CategoricalDistribution(space.values)
    if space.whole:
        return kinds.IntDistribution(int(space.low), int(space.high), log=space.logarithmic)
    # what is written is rounded: it must not fall out of the interval
    low, high = float(written(space.low, False)), float(written(space.high, False))
    return kinds.FloatDistribution(low, high, log=space.logarithmic)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise error(
            "NN0404",
            "Optuna, which random and Bayesian search need, is not installed",
            help="pip install 'nncomp[tune]', or `--method grid`",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _require_gaussian_processes() -> None:
    missing = [name for name in ("scipy", "torch") if find_spec(name) is None]
    if missing:
        raise error(
            "NN0404",
            f"Optuna's Gaussian processes need {' and '.join(missing)}, not installed here",
            help=f"pip install {' '.join(missing)}, or `--method bayesian`",
        )


class TrialLog:
    """The trials of a folder, on disk after each.

    search: what must be the same for a search to go on
    """

    def __init__(self, folder: Path, search: Mapping[str, Any], resume: bool) -> None:
        self.path = folder / TRIALS
        self.trials: list[Trial] = []
        self._search = dict(search)
        if resume and self.path.exists():
            self.trials = self._read()
        elif resume:
            raise error("NN0001", f"there is nothing to resume in {folder}: it holds no {TRIALS}")
        self._write()

    def _read(self) -> list[Trial]:
        lines = read_bytes(self.path).decode("utf-8", "replace").splitlines()
        try:
            first, *rest = (json.loads(line) for line in lines)
            before, trials = first["search"], [_trial(record) for record in rest]
        except (AttributeError, ValueError, TypeError, KeyError, RecursionError):
            raise error("NN0404", f"{self.path} is not the log of a search") from None
        for name, value in self._search.items():
            if before.get(name) != value:
                raise error(
                    "NN0404",
                    f"cannot resume from {self.path}: its {name} was {before.get(name)}, now it is "
                    f"{value}",
                )
        return trials

    def add(self, trial: Trial) -> None:
        self.trials.append(trial)
        self._write()

    def _write(self) -> None:
        records: list[Any] = [{"search": self._search}, *map(asdict, self.trials)]
        write_atomic(self.path, "".join(f"{json.dumps(r)}\n" for r in records).encode())


def _trial(record: Mapping[str, Any]) -> Trial:
    """Raises ValueError or TypeError for a record that is none."""
    trial = Trial(**record)
    if not all(isinstance(value, str) for value in trial.values.values()):
        raise TypeError("values are texts")
    if trial.value is not None and not isinstance(trial.value, int | float):
        raise TypeError("what a trial gives is a number")
    return trial


def best_of(trials: Sequence[Trial], maximize: bool) -> Trial | None:
    """The trial with the best value, the first of equals; None if all have failed."""
    finished = [(t.value, -t.number, t) for t in trials if t.value is not None]
    if not finished:
        return None
    sign = 1 if maximize else -1
    return max(finished, key=lambda found: (sign * found[0], found[1]))[2]


def as_csv(trials: Sequence[Trial]) -> bytes:
    """A line for each trial: its number, hyperparameters, value, results, and why it failed."""
    values = list(dict.fromkeys(name for trial in trials for name in trial.values))
    results = list(dict.fromkeys(name for trial in trials for name in trial.results))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = [*values, "value", *(f"validation_{name}" for name in results)]
    writer.writerow(["trial", *head, "epochs", "seconds", "failure"])
    for trial in trials:
        row: list[Any] = [trial.number, *(trial.values.get(name, "") for name in values)]
        row += ["" if trial.value is None else trial.value]
        row += [trial.results.get(name, "") for name in results]
        writer.writerow([*row, trial.epochs, f"{trial.seconds:.2f}", trial.failure or ""])
    return text.getvalue().encode()
