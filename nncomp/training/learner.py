"""What a trainer needs of a compiled training step, whatever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nncomp.types import Array

Numbers = dict[str, float]


class Learner(Protocol):
    """A training step with its state, and the evaluation that belongs to it."""

    @property
    def steps(self) -> int:
        """How many steps were taken."""

    def step(self, batch: Mapping[str, Array], **hyper: float) -> Numbers:
        """Takes a step; its losses and metrics, before the update."""

    def evaluate(self, batch: Mapping[str, Array]) -> Numbers:
        """Losses and metrics in inference mode."""

    def state(self) -> dict[str, Array]:
        """All parameters, buffers and optimiser states by path."""

    def before(self) -> dict[str, Array]:
        """The state before the last step."""

    def restore(self, state: Mapping[str, Array], steps: int) -> None:
        """Goes on from that state, after that many steps."""

    def fallbacks(self) -> list[str]:
        """On CUDA, the operators of the step that run on the CPU nevertheless."""
