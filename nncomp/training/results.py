"""The numbers that steps give: losses and metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nncomp.training.learner import Numbers


def losses(names: Iterable[str]) -> list[str]:
    """Which results are losses: `loss`, `loss_2` … as lowering names them."""
    return [n for n in names if n == "loss" or n.removeprefix("loss_").isdigit()]


def objective(results: Numbers) -> float:
    """What is to become small: the sum of the losses."""
    return sum(results[name] for name in losses(results))


def infinite(results: Numbers) -> list[str]:
    """The losses that are infinite or not a number."""
    return [name for name in losses(results) if not math.isfinite(results[name])]


def means(results: Sequence[tuple[Numbers, int]]) -> Numbers:
    """Over all samples, from the means over batches and the batches' sizes."""
    total = sum(samples for _, samples in results)
    names = results[0][0]
    return {n: math.fsum(found[n] * samples for found, samples in results) / total for n in names}
