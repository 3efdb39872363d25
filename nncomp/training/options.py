"""How to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Literal, get_args

from nncomp.errors import did_you_mean, error, require_choice
from nncomp.training import schedules
from nncomp.training.augment import Augmentation

Keep = Literal["best", "last"]


_LEAST = {
    "epochs": 1,
    "batch_size": 1,
    "warmup": 0,
    "shift": 0,
    "patience": 1,
    "workers": 1,
    "sync_every": 1,
}


def options_of(given: Mapping[str, Any]) -> Options:
    """Options by name. Raises CompileError NN0202 for one that there is not, and for values that
    cannot be."""
    known = [field.name for field in fields(Options)]
    for name in given:
        if name not in known:
            help = did_you_mean(name, known) or f"it has {', '.join(known)}"
            raise error("NN0202", f"`train` has no option `{name}`", help=help)
    return Options(**given)


@dataclass(frozen=True)
class Options:
    """How to train.

    batch_size: samples a step; the last of an epoch may be smaller
    rates: the learning rates by the name of their input
    schedule: what they are multiplied by over the whole run; see `training/schedules.py`
    warmup: so many steps in which they rise to their full size first
    shift, flip, noise, intensity: see `Augmentation`
    shuffle: whether samples come in a new order in each epoch
    patience: stop when the validation loss has not fallen for so many epochs; None for never
    keep: which weights are kept as the best: those with the lowest validation loss, or, where a
        loss says nothing of that, as with adversaries and sampled gradients, the last
    seed: of the order, the augmentation, and the random streams of the step
    workers: so many learners share each batch; see `training/workers.py`
    sync_every: after so many steps the workers are averaged
    checkpoint_seconds: a checkpoint is written within an epoch if the last one is older than that
    """

    epochs: int = 20
    batch_size: int = 64
    rates: Mapping[str, float] = field(default_factory=dict)
    schedule: schedules.Name = "constant"
    warmup: int = 0
    shift: int = 0
    flip: bool = False
    noise: float = 0.0
    intensity: float = 0.0
    shuffle: bool = True
    patience: int | None = None
    keep: Keep = "best"
    seed: int = 0
    workers: int = 1
    sync_every: int = 1
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if name == "patience" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise error("NN0202", f"`{name}` is a whole number from {least} on, not {value!r}")
        require_choice("schedule", self.schedule, schedules.NAMES)
        require_choice("keep", self.keep, get_args(Keep))

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(self.shift, self.flip, self.noise, self.intensity)
