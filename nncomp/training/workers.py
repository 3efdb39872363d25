"""Several learners that share the work: data-parallel training with rare synchronisation.

Each worker takes its step on a part of the batch, and every so many steps all go on from the mean
of their states. After each step, that is the step of the whole batch for SGD and momentum, whose
updates are linear in the gradient (Zinkevich et al., 2010); between rare means the workers go
their own ways, and nothing is sent (McMahan et al., 2017; Stich, 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from nncomp.dims import Dim
from nncomp.errors import error
from nncomp.training.learner import Learner, Numbers
from nncomp.types import Array, TensorType

OWN = "worker."  # of a checkpoint between two synchronisations: the workers' own states


class Workers:
    """Learners as one.

    every: they are averaged after so many steps, and before they are evaluated
    """

    def __init__(self, learners: Sequence[Learner], every: int = 1) -> None:
        self._learners = list(learners)
        self._every = every
        self._apart = False  # whether they have taken a step since they were averaged
        self._were_apart = False  # the same before the last step
        self._pool = ThreadPoolExecutor(len(self._learners))

    @property
    def steps(self) -> int:
        return self._learners[0].steps

    def step(self, batch: Mapping[str, Array], **hyper: float) -> Numbers:
        parts = divided(batch, len(self._learners))
        number = self.steps
        jobs = [
            self._pool.submit(partial(learner.step, part, **hyper))
            for learner, part in zip(self._learners, parts, strict=True)
        ]
        failures = [job.exception() for job in jobs]
        for failure in failures:
            if failure is not None:
                self._take_back(number)
                raise failure
        self._were_apart, self._apart = self._apart, True
        if self.steps % self._every == 0:
            self._synchronise()
        sizes = [len(next(iter(part.values()))) for part in parts]
        found = [job.result() for job in jobs]
        return {
            name: float(np.average([f[name] for f in found], weights=sizes)) for name in found[0]
        }

    def _take_back(self, number: int) -> None:
        for learner in self._learners:
            if learner.steps > number:
                learner.restore(learner.before(), number)

    def _synchronise(self) -> None:
        state, steps = mean([learner.state() for learner in self._learners]), self.steps
        for learner in self._learners:
            learner.restore(state, steps)
        self._apart = False

    def evaluate(self, batch: Mapping[str, Array]) -> Numbers:
        if self._apart:
            self._synchronise()
        return self._learners[0].evaluate(batch)

    def state(self) -> dict[str, Array]:
        return _together([learner.state() for learner in self._learners], self._apart)

    def before(self) -> dict[str, Array]:
        return _together([learner.before() for learner in self._learners], self._were_apart)

    def restore(self, state: Mapping[str, Array], steps: int) -> None:
        own = [f"{OWN}{i}." for i in range(len(self._learners))]
        common = {path: array for path, array in state.items() if not path.startswith(OWN)}
        states = [
            {path[len(prefix) :]: array for path, array in state.items() if path.startswith(prefix)}
            for prefix in own
        ]
        # The common state counts: what it is no mean of belongs to a state that was left.
        self._apart = all(states) and _equal(mean(states), common)
        for learner, found in zip(self._learners, states, strict=True):
            learner.restore(found if self._apart else common, steps)

    def fallbacks(self) -> list[str]:
        return self._learners[0].fallbacks()


def divided(batch: Mapping[str, Array], count: int) -> list[dict[str, Array]]:
    """The batch in parts that differ by one sample at most. Of fewer samples than parts some stand
    in several."""
    size = len(next(iter(batch.values())))
    parts = min(count, size)
    bounds = np.linspace(0, size, parts + 1).round().astype(int)
    found = [
        {name: array[bounds[i] : bounds[i + 1]] for name, array in batch.items()}
        for i in range(parts)
    ]
    return [found[i % parts] for i in range(count)]


def mean(states: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The mean of floating arrays; of others those of the first."""
    return {
        path: np.mean([s[path] for s in states], axis=0, dtype=np.float64).astype(array.dtype)
        if np.issubdtype(array.dtype, np.floating)
        else array
        for path, array in states[0].items()
    }


def _together(states: Sequence[dict[str, Array]], apart: bool) -> dict[str, Array]:
    """The mean, and each state of its own where they differ."""
    if not apart:
        return states[0]
    own = {f"{OWN}{i}.{p}": array for i, state in enumerate(states) for p, array in state.items()}
    return mean(states) | own


def _equal(a: Mapping[str, Array], b: Mapping[str, Array]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[p], b[p], equal_nan=True) for p in a)


def check_independent(inputs: Mapping[str, TensorType]) -> None:
    """Raises NN0501 where an input holds something between samples, as an adjacency does."""
    for name, type in inputs.items():
        rows, others = type.shape[0], type.shape[1:]
        if isinstance(rows, Dim) and any(
            isinstance(d, Dim) and set(rows.symbols()) & set(d.symbols()) for d in others
        ):
            raise error(
                "NN0501",
                f"workers cannot share out `{name}: {type}`, whose samples belong together",
                help="train with one worker",
            )
