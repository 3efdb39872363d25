"""A training step to be called from Python."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from nncomp.driver.compiling import COUNTERS, data_inputs
from nncomp.errors import error
from nncomp.ir.graph import Graph
from nncomp.training.learner import Learner
from nncomp.types import Array


def require_named(unnamed: Collection[object], inputs: Collection[str]) -> None:
    """Raises CompileError NN0503 if arrays were given by their places."""
    if unnamed:
        call = ", ".join(f"{name}=…" for name in inputs)
        raise error("NN0503", "inputs are given by their names", help=f"`({call})`")


class TrainingStep:
    """One training step, compiled: `step(image=x, label=y)` gives `{"loss": …, "accuracy": …}`.

    inputs: the types of the batch by name
    hyperparameters: the values in use by name, learning rates for instance
    fresh: whether a step was taken since the model has last looked
    """

    def __init__(self, learner: Learner, graph: Graph) -> None:
        self.learner = learner
        self.inputs = {name: str(type) for name, type in data_inputs(graph).items()}
        self.hyperparameters: dict[str, float] = {
            name: value for name, value in graph.defaults.items() if name not in COUNTERS
        }
        self.fresh = False

    def __repr__(self) -> str:
        taken = ", ".join(f"{name}: {type}" for name, type in self.inputs.items())
        rates = "".join(f", {name}={value:g}" for name, value in self.hyperparameters.items())
        return f"<nncomp.TrainingStep ({taken}{rates}), {self.steps} taken>"

    def __call__(self, *unnamed: Any, **given: Any) -> dict[str, float]:
        """Takes a step; the losses and metrics before it.

        given: the batch by name; hyperparameters among it (`lr=1e-4`) hold from this step on
        Raises CompileError NN0503 if the batch does not fit.
        """
        require_named(unnamed, self.inputs)
        batch, hyper = {}, {}
        for name, value in given.items():
            if name in self.hyperparameters:
                hyper[name] = float(value)
            else:
                batch[name] = np.asarray(value)
        results = self.learner.step(batch, **self.hyperparameters | hyper)
        self.hyperparameters |= hyper
        self.fresh = True
        return results

    def evaluate(self, **batch: Any) -> dict[str, float]:
        """Losses and metrics in inference mode; nothing changes."""
        return self.learner.evaluate({name: np.asarray(array) for name, array in batch.items()})

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self.learner.steps

    @property
    def parameters(self) -> dict[str, Array]:
        """All parameters, buffers and optimiser states by path."""
        return self.learner.state()
