"""How to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Literal, get_args

from nncomp.errors import did_you_mean, error, require_choice, require_count, require_number
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
_AMOUNTS = ("noise", "intensity", "checkpoint_seconds")
_FLAGS = ("flip", "shuffle")


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
            if name != "patience" or self.patience is not None:
                self._set(name, require_count(name, getattr(self, name), least))
        for name in _AMOUNTS:
            self._set(name, require_number(name, getattr(self, name)))
        for name in _FLAGS:
            require_choice(name, getattr(self, name), (True, False))
        if isinstance(self.seed, bool) or not isinstance(self.seed, Integral):
            raise error("NN0202", f"`seed` is a whole number, not {self.seed!r}")
        self._set("seed", int(self.seed))
        require_choice("schedule", self.schedule, schedules.NAMES)
        require_choice("keep", self.keep, get_args(Keep))

    def _set(self, name: str, value: float) -> None:
        """As Python's own number, which JSON takes, too."""
        object.__setattr__(self, name, value)

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(self.shift, self.flip, self.noise, self.intensity)
