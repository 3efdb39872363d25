"""Searching for hyperparameters: a training for each trial."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncomp.driver.compiling import initial_values, section_of
from nncomp.driver.programs import load_program
from nncomp.driver.train import data_for, train
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.files import PathLike, write_atomic
from nncomp.lower.objective import Objective
from nncomp.lower.program import hyperparameters
from nncomp.source import SourceFile
from nncomp.training import schedules
from nncomp.training.data import Data, Split
from nncomp.training.lock import sole_run
from nncomp.training.options import Options
from nncomp.training.results import objective
from nncomp.training.search import EXAMPLES, Choices, Space, written
from nncomp.training.sources import Reading
from nncomp.training.trainer import LAST
from nncomp.training.trials import Method, Proposer, Trial, TrialLog, as_csv, best_of
from nncomp.training.variants import Variant

if TYPE_CHECKING:
    from nncomp.lower.program import Program
    from nncomp.onnx_import.reading import OnnxFile


def _int(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if int(text) < least:
            raise ValueError(text)
        return int(text)

    return parse


def _float(below: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not 0 <= float(text) < below:
            raise ValueError(text)
        return float(text)

    return parse


def _schedule(text: str) -> str:
    if text not in schedules.NAMES:
        raise ValueError(text)
    return text


OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "epochs": _int(1),
    "batch_size": _int(1),
    "warmup": _int(0),
    "schedule": _schedule,
    "shift": _int(0),
    "noise": _float(math.inf),
    "intensity": _float(math.inf),
}
VARIANTS: Mapping[str, Callable[[str], Any]] = {"average": _float(1), "accumulate": _int(1)}
RATES: Mapping[str, Callable[[str], Any]] = {"lr": _float(math.inf)}
HOPELESS = 3  # failures at the start, after which it is not the values
KNOWN = {**RATES, **OPTIONS, **VARIANTS}
"""What a search may vary beside the model's hyperparameters."""


@dataclass(frozen=True)
class Search:
    """What is searched, and for what.

    goal: the name of a loss or metric on the validation samples, at the epoch with the lowest loss;
        None for the loss itself, the sum if there are several
    maximize: whether it is to become large
    """

    spaces: Sequence[Space]
    method: Method = "bayesian"
    goal: str | None = None
    maximize: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Tuned:
    """All trials in order, the best of them, and its folder."""

    trials: list[Trial]
    best: Trial
    folder: Path


def folder_of(root: PathLike, trial: Trial) -> Path:
    """Where a trial's training is."""
    return Path(root) / f"trial-{trial.number:03}"


def tune(
    source: SourceFile | OnnxFile,
    data: Data,
    search: Search,
    options: Options,
    folder: PathLike,
    *,
    trials: int | None = None,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    objective: Objective | None = None,
    split: Split = Split(),  # noqa: B008 - frozen
    reading: Reading = Reading(),  # noqa: B008 - frozen
    section: str | None = None,
    lr: float | None = None,
    variant: Variant = Variant(),  # noqa: B008 - frozen
    resume: bool = False,
    told: Callable[[Trial, int], None] = lambda trial, count: None,
    **place: Any,
) -> Tuned:
    """Trains once for each trial, in `trial-000` … of the folder, and writes `trials.jsonl` after
    each, `trials.csv` in the end. A trial whose training fails counts as one without a value.

    settings: hyperparameters that stay
    objective: what an ONNX model is to learn
    data, options, lr, variant: as for `train`
    trials: how many; 20 if not given, or the whole grid
    resume: goes on from the folder's log, within a trial too
    told: of each trial, and how many there are
    place: `backend`, `device`, `target` of `train`
    Raises CompileError NN0407, NN0404 (no loss or metric is the goal, before anything is trained;
    all trials failed), and what is wrong with the data.
    """
    own = hyperparameters(source, model) if isinstance(source, SourceFile) else []
    _require_names(own, search.spaces, settings or {})
    root = Path(folder)
    proposer = Proposer(search.spaces, search.method, search.seed, search.maximize)
    same = {
        "method": search.method,
        "seed": search.seed,
        "goal": f"{'maximize' if search.maximize else 'minimize'} {search.goal or 'loss'}",
        "space": {space.name: str(space) for space in search.spaces},
    }

    def program_of(values: Mapping[str, str]) -> Program:
        chosen = {name: text for name, text in values.items() if name in own}
        return load_program(source, model, {**(settings or {}), **chosen}, objective=objective)

    if search.goal is not None:
        _require_goal(program_of, proposer.values([]), section, search.goal)
    count = proposer.count(trials)
    failure: CompileError | None = None

    def run(trial: Trial) -> Trial:
        rest = {name: text for name, text in trial.values.items() if name not in own}
        fields = {name: OPTIONS[name](text) for name, text in rest.items() if name in OPTIONS}
        changes = {name: VARIANTS[name](text) for name, text in rest.items() if name in VARIANTS}
        program = program_of(trial.values)
        within = folder_of(root, trial)
        trained = train(
            program,
            initial_values(program, options.seed),
            data_for(program, data, section, split=split, reading=reading),
            dataclasses.replace(options, **fields),
            within,
            section=section,
            lr=float(rest["lr"]) if "lr" in rest else lr,
            variant=dataclasses.replace(variant, **changes),
            resume=_begun(within, {"search": same, "values": trial.values}) and resume,
            **place,
        )
        records = [r for r in trained.outcome.records if "epoch" in r]
        best = next(r for r in records if r["epoch"] == trained.outcome.best_epoch)
        results = best["validation"] or best["train"]
        return dataclasses.replace(
            trial, value=_goal(results, search.goal), results=results, epochs=len(records)
        )

    with sole_run(root, create=not resume):
        log = TrialLog(root, same, resume)
        while len(log.trials) < count:
            trial = Trial(len(log.trials), proposer.values(log.trials), None)
            began = time.monotonic()
            try:
                trial = run(trial)
            except CompileError as problem:
                failure = problem
                first = problem.diagnostics[0]
                trial = dataclasses.replace(trial, failure=f"{first.code}: {first.message}")
            log.add(dataclasses.replace(trial, seconds=round(time.monotonic() - began, 3)))
            told(log.trials[-1], count)
            if len(log.trials) == HOPELESS and best_of(log.trials, search.maximize) is None:
                break
        write_atomic(root / "trials.csv", as_csv(log.trials))
        best = best_of(log.trials, search.maximize)
        if best is None:
            raise failure or error("NN0404", f"every trial in {root} has failed")
        return Tuned(log.trials, best, folder_of(root, best))


def _begun(folder: Path, trial: Mapping[str, Any]) -> bool:
    """Whether the folder holds a checkpoint of this trial, and not of an earlier search; notes the
    trial there."""
    note, content = folder / "trial.json", json.dumps(trial, sort_keys=True).encode()
    begun = note.exists() and note.read_bytes() == content and (folder / LAST).exists()
    write_atomic(note, content)
    return begun


def _require_names(
    own: Sequence[str], spaces: Sequence[Space], settings: Mapping[str, Any]
) -> None:
    names = [space.name for space in spaces]
    for space in spaces:
        if names.count(space.name) > 1:
            raise error("NN0407", f"`{space.name}` is searched over twice")
        if space.name not in own and space.name not in KNOWN:
            known = ", ".join(f"`{name}`" for name in (*own, *KNOWN))
            raise error(
                "NN0407",
                f"there is no hyperparameter `{space.name}` to search over",
                help=did_you_mean(space.name, (*own, *KNOWN)) or f"known: {known}",
            )
        if space.name in settings:
            raise error("NN0407", f"`{space.name}` is both set and searched over")
        if space.name not in own:
            _require_values(space)


def _require_values(space: Space) -> None:
    """Of an option of the training: both ends of an interval, or every choice."""
    texts = (
        space.values
        if isinstance(space, Choices)
        else [written(end, space.whole) for end in (space.low, space.high)]
    )
    for text in texts:
        try:
            KNOWN[space.name](text)
        except ValueError:
            raise error(
                "NN0407",
                f"`{text}` is no value of `{space.name}`",
                help=f"for example {EXAMPLES}",
            ) from None


def _require_goal(
    program_of: Callable[[Mapping[str, str]], Program],
    values: Mapping[str, str],
    section: str | None,
    name: str,
) -> None:
    """That the training of the first trial gives a loss or metric of that name, before it runs."""
    try:
        program = program_of(values)
    except CompileError:
        return  # others may load; the trial tells what is wrong with it
    _, chosen = section_of(program, section)
    _require_result(chosen.evaluation.outputs, name)


def _require_result(results: Collection[str], name: str) -> None:
    if name not in results:
        known = ", ".join(f"`{other}`" for other in results)
        raise error(
            "NN0404",
            f"the training has no loss or metric `{name}`; it has {known}",
            help=did_you_mean(name, results),
        )


def _goal(results: Mapping[str, float], name: str | None) -> float:
    if name is None:
        return objective(dict(results))
    _require_result(results, name)  # another trial may have other metrics than the first
    if not math.isfinite(results[name]):
        raise error("NN0404", f"the metric `{name}` is {results[name]}")
    return results[name]
