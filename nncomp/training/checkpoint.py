"""Checkpoints: the whole state of a training run in one safetensors file.

All parameters, buffers and optimiser states stand there by path, so a checkpoint is also a
weights file. Where the run stood is in the metadata. Random numbers need no state: those of the
step graph depend on (seed, step), the shuffling on (seed, epoch).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nncomp.errors import error
from nncomp.files import PathLike
from nncomp.types import Array
from nncomp.weights import describe, load_with_metadata, save_weights

_VERSION = 1


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    epoch, step: completed ones; best_epoch, best_loss: of the lowest validation loss so far
    run: what must be the same for the run to go on as if never stopped (seed, batch size, data)
    batch: steps taken since the last whole epoch
    """

    epoch: int
    step: int
    best_epoch: int
    best_loss: float
    run: Mapping[str, Any]
    batch: int = 0


def save_checkpoint(path: PathLike, state: Mapping[str, Array], progress: Progress) -> None:
    """Writes the checkpoint atomically. Raises CompileError NN0001."""
    save_weights(path, state, {"version": _VERSION, **asdict(progress)})


def load_checkpoint(path: PathLike, run: Mapping[str, Any]) -> tuple[dict[str, Array], Progress]:
    """The state, and where its run stood.

    run: of the run that is to go on
    Raises CompileError NN0001, NN0502 (no checkpoint), NN0404 (of a run with other settings).
    """
    state, notes = load_with_metadata(path)
    try:
        if notes.pop("version") != _VERSION:
            raise ValueError("unknown version")
        progress = Progress(**notes)
        before = dict(progress.run)
        counts = (progress.epoch, progress.step, progress.best_epoch, progress.batch)
        if any(type(count) is not int or count < 0 for count in counts):
            raise ValueError("no number of epochs or steps")
        if type(progress.best_loss) is not float:
            raise ValueError("no loss")
    except (KeyError, TypeError, ValueError):
        raise error("NN0502", f"{path} is not a checkpoint of a training run") from None
    for name, value in run.items():
        if before.get(name) != value:
            raise error(
                "NN0404",
                f"cannot resume from {path}: its {name} was {before.get(name)}, now it is {value}",
            )
    return state, progress


def require_same_state(
    path: PathLike, state: Mapping[str, Array], own: Mapping[str, Array]
) -> None:
    """That the state of a checkpoint is one of the step that is to go on. Raises CompileError
    NN0404."""
    found = ""
    for name in sorted({*state, *own}):
        if name not in state:
            found = f"it lacks `{name}`"
        elif name not in own:
            found = f"its `{name}` is not learnt with now"
        elif state[name].shape != own[name].shape or state[name].dtype != own[name].dtype:
            found = f"its `{name}` is {describe(state[name])}, now it is {describe(own[name])}"
        if found:
            raise error(
                "NN0404",
                f"cannot resume from {path}: {found}",
                help="a run goes on with the model, the optimiser, and the options that it had",
            )


def remove_unfinished(folder: Path, names: Collection[str]) -> None:
    """Removes what a run that was killed while writing left beside these files."""
    for name in names:
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)
