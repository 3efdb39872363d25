"""How large the gradients of a loss are, layer by layer and step by step: whether they vanish.

A network whose first layers get a thousandth of what its last ones get does not learn there
(Bengio et al., 1994; Glorot & Bengio, 2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nncomp.inspect.tables import Column, Table, measured
from nncomp.types import Array

_WIDTH = 24  # columns of a bar
_MOST = 40  # steps that are shown
_DECADES = 6  # powers of ten that a bar spans


@dataclass
class Layer:
    """The parameters of one block, or one that stands alone.

    numbers: how many; squares, weights: sums of the squares of gradients and of parameters
    """

    name: str
    numbers: int = 0
    squares: float = 0.0
    weights: float = 0.0

    def add(self, gradient: Array, parameter: Array) -> None:
        """Another parameter of the block."""
        self.numbers += gradient.size
        self.squares += float(np.square(gradient, dtype=np.float64).sum())
        self.weights += float(np.square(parameter, dtype=np.float64).sum())

    @property
    def norm(self) -> float:
        """The Euclidean norm of the gradient."""
        return math.sqrt(self.squares)

    @property
    def mean(self) -> float:
        """The root of the mean square: the size of one number of the gradient."""
        return math.sqrt(self.squares / self.numbers) if self.numbers else 0.0

    @property
    def relative(self) -> float | None:
        """The norm as a part of that of the parameters."""
        return math.sqrt(self.squares / self.weights) if self.weights else None


@dataclass(frozen=True)
class Steps:
    """The norms of the gradients with respect to what a scan reads, in the order of its steps.

    scope: the block that the scan stands in; name: of the tensor that it goes over
    """

    scope: str
    name: str
    norms: tuple[float, ...]


@dataclass(frozen=True)
class Gradients:
    """Of one batch. loss: its name, and value; layers: in the order in which they are applied"""

    loss: str
    value: float
    samples: int
    layers: tuple[Layer, ...]
    steps: tuple[Steps, ...]


def gradient_tables(found: Gradients) -> list[Table]:
    """A table of the layers, and one for each scan."""
    bars = _bars([layer.mean for layer in found.layers])
    rows = [
        (layer.name, layer.numbers, layer.norm, layer.mean, layer.relative, bar)
        for layer, bar in zip(found.layers, bars, strict=True)
    ]
    columns = (
        Column("layer", number=False),
        Column("parameters", show=lambda n: f"{n:,}"),
        Column("norm", "‖g‖", measured),
        Column("rms", "of one number", measured),
        Column("relative", "‖g‖/‖w‖", measured),
        Column("bar", "size, by powers of ten", number=False, machine=False),
    )
    notes = [f"{found.loss} = {measured(found.value)} on {found.samples} samples"]
    means = [layer.mean for layer in found.layers if layer.numbers]
    if len(means) > 1:
        notes.append(f"first layer: {_part(means[0], means[-1])} of the last, number by number")
    return [Table("gradients", columns, tuple(rows), tuple(notes)), *map(_step_table, found.steps)]


def _step_table(steps: Steps) -> Table:
    columns = (
        Column("step"),
        Column("norm", "‖g‖", measured),
        Column("bar", "size, by powers of ten", number=False, machine=False),
    )
    bars = _bars(steps.norms)
    rows = tuple(
        (number, norm, bar)
        for number, (norm, bar) in enumerate(zip(steps.norms, bars, strict=True))
    )
    where = f" in {steps.scope}" if steps.scope else ""
    note = f"first step: {_part(steps.norms[0], steps.norms[-1])} of the last"
    title = f"gradients by step of the scan over {steps.name}{where}"
    return Table(title, columns, rows, (note,), most=_MOST)


def _part(one: float, other: float) -> str:
    return f"{measured(one / other)} times that" if other else "more than nothing"


def _bars(values: list[float] | tuple[float, ...]) -> list[str]:
    """A bar for each, a sixth longer for each power of ten; none below a millionth of the
    largest."""
    top = max(values, default=0.0)
    result = []
    for value in values:
        if not (value > 0 and math.isfinite(value) and math.isfinite(top)):
            result.append("" if not value else "not finite")
            continue
        decades = _DECADES + math.log10(value / top)
        result.append("█" * max(0, round(_WIDTH * decades / _DECADES)))
    return result
