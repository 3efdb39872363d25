"""What operators give on data: mean and spread, zeros, units that never fire, saturation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.inspect.cost import VIEWS, known_before_run
from nncomp.inspect.families import family
from nncomp.inspect.tables import Column, Table, measured, share
from nncomp.ir.graph import Graph, Node, Value
from nncomp.types import Array

# Where each is flat: its gradient is below a twentieth of its largest one.
_FLAT = {"Sigmoid": (0.0127, 0.9873), "Tanh": (-0.9747, 0.9747)}
_MOVES = "data movement"


@dataclass(frozen=True)
class Activation:
    """Of the first result of a node, over samples and places.

    zeros: share of the numbers that are 0
    dead: share of the units, along axis 1, that are 0 for every sample and place; of ReLUs and the
        like alone
    saturated: share of the numbers where a sigmoid or tanh is flat
    bad: how many are not finite; the others are what is measured
    """

    scope: str
    operator: str
    shape: tuple[int, ...]
    mean: float
    std: float
    least: float
    most: float
    zeros: float
    dead: float | None
    saturated: float | None
    bad: int


class Observer:
    """Looks at what a run of the interpreter computes."""

    def __init__(self, graph: Graph) -> None:
        self._once = known_before_run(graph)
        self.found: list[Activation] = []

    def watch(self, node: Node, inputs: Sequence[Value | None], results: Sequence[Array]) -> None:
        """Takes note of a node that has run."""
        result = results[0]
        moves = node.op.name in VIEWS or family(node.op) == _MOVES
        if moves or node.outputs[0] in self._once or not isinstance(result, np.ndarray):
            return
        if result.dtype.kind != "f" or not result.size:
            return
        self.found.append(measure(node, result))


def measure(node: Node, result: Array) -> Activation:
    """The statistics of a result."""
    numbers = result.astype(np.float64)
    fine = np.isfinite(numbers)
    good = numbers[fine] if not fine.all() else numbers
    if not good.size:
        good = np.zeros(1)
    zero = result == 0
    dead = None
    if family(node.op) == "activation" and node.op.name not in _FLAT and zero.ndim > 1:
        others = tuple(axis for axis in range(zero.ndim) if axis != 1)
        dead = float(zero.all(axis=others).mean()) if zero.any() else 0.0
    flat = _FLAT.get(node.op.name)
    saturated = float(((good < flat[0]) | (good > flat[1])).mean()) if flat else None
    return Activation(
        node.origin.scope,
        node.op.name,
        tuple(result.shape),
        float(good.mean()),
        float(good.std()),
        float(good.min()),
        float(good.max()),
        float(zero.mean()),
        dead,
        saturated,
        int((~fine).sum()),
    )


def activation_table(found: Sequence[Activation], samples: int, depth: int | None) -> Table:
    """A row for each operator, in blocks down to a depth."""
    shown = [a for a in found if depth is None or _depth(a.scope) <= depth]
    columns = (
        Column("block", number=False),
        Column("operator", number=False),
        Column("shape", number=False),
        Column("mean", show=measured),
        Column("std", show=measured),
        Column("min", show=measured),
        Column("max", show=measured),
        Column("zeros", show=share),
        Column("dead", "dead units", share),
        Column("saturated", show=share),
        Column("bad", "not finite", lambda n: f"{n:,}" if n else ""),
    )
    rows = [
        (
            a.scope,
            a.operator,
            "×".join(map(str, a.shape)),
            a.mean,
            a.std,
            a.least,
            a.most,
            a.zeros,
            a.dead,
            a.saturated,
            a.bad,
        )
        for a in shown
    ]
    notes = [f"on {samples} samples"]
    if len(shown) < len(found):
        notes.append(f"{len(found) - len(shown)} more deeper inside (--depth)")
    return Table("activations", columns, tuple(rows), tuple(notes))


def _depth(scope: str) -> int:
    return scope.count(".") + 1 if scope else 0
