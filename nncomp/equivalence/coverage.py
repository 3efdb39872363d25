"""Which sides of a graph's branches a run has been on.

A branch is an If, a Where, a comparison, a Clip, a Max or Min, an operator that bends at zero, or
a Loop with a count. What depends on constants alone is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncomp.equivalence.running import Feed, Watch
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.live import live_nodes
from nncomp.ops.activation import (
    Celu,
    Elu,
    LeakyRelu,
    PRelu,
    Relu,
    Selu,
    ThresholdedRelu,
)
from nncomp.ops.comparison import Comparison, Logic
from nncomp.ops.control import If, Loop
from nncomp.ops.conversion import Where
from nncomp.ops.elementwise import Clip, Max, Min
from nncomp.ops.elementwise_math import Abs, Sign
from nncomp.types import Array

Side = tuple[Node, str]
BENT = (Relu, LeakyRelu, PRelu, Elu, Selu, Celu, Abs, Sign)
TRUTH = ("true", "false")


class Coverage:
    """Collects sides over runs of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[Value, Array] = {}
        self.sides: dict[Side, bool] = {}
        self._wanted: set[Value] = set()
        self._outside: dict[Value, Value] = {}  # captures of bodies: values of the graph around
        self._collect(graph)

    def _collect(self, graph: Graph) -> None:
        pending: list[Graph] = [graph]
        constant: set[Value] = set()
        while pending:
            inner = pending.pop()
            for node in live_nodes(inner):  # others are not run
                if isinstance(node.op, Constant):
                    self.known[node.outputs[0]] = node.op.value.array
                if (node.operands and constant.issuperset(node.operands)) or not node.inputs:
                    constant.update(node.outputs)
                    continue
                for body in node.op.bodies:
                    pending.append(body)
                    if body.captures:
                        captures = zip(
                            body.inputs[-body.captures :],
                            node.inputs[-body.captures :],
                            strict=True,
                        )
                        self._outside.update((inner, v) for inner, v in captures if v is not None)
                sides = _sides(node)
                if sides:
                    self.sides.update(dict.fromkeys(((node, side) for side in sides), False))
                    self._wanted.update(self._origin(v) for v in node.operands)

    def _origin(self, value: Value) -> Value:
        while value in self._outside:
            value = self._outside[value]
        return value

    @property
    def seen(self) -> int:
        return sum(self.sides.values())

    @property
    def unseen(self) -> list[Side]:
        return [side for side, seen in self.sides.items() if not seen]

    def watching(self, feed: Feed) -> Watch:
        """What to hand a run on these numbers, so that its sides are noted."""
        held = dict(self.known)
        for value in self.graph.inputs:
            if value.name in feed.inputs:
                held[value] = feed.inputs[value.name]

        def watch(node: Node, inputs: Sequence[Value | None], results: Sequence[Array]) -> None:
            open_sides = [side for side in _sides(node) if not self.sides.get((node, side), True)]
            if open_sides:
                operands = [None if v is None else held.get(self._origin(v)) for v in node.inputs]
                for side in open_sides:
                    self.sides[(node, side)] = _is_on(node, side, operands, results)
            for value, array in zip(node.outputs, results, strict=False):
                if value in self._wanted:
                    held[value] = array

        return watch


def _sides(node: Node) -> tuple[str, ...]:
    op = node.op
    if isinstance(op, If | Where | Comparison | Logic):
        return TRUTH
    if isinstance(op, (*BENT, ThresholdedRelu)):
        return ("above", "below")
    if isinstance(op, Clip):
        low, high = (*node.inputs[1:], None, None)[:2]
        return ("within", *(("below",) if low else ()), *(("above",) if high else ()))
    if isinstance(op, Max | Min) and len(node.inputs) == 2:
        return ("first larger", "second larger")
    if isinstance(op, Loop) and node.inputs and node.inputs[0] is not None:
        counted = node.inputs[0].node
        if counted is None or not isinstance(counted.op, Constant):
            return ("no run", "one run", "several runs")
    return ()


def _is_on(
    node: Node, side: str, operands: Sequence[Array | None], results: Sequence[Array]
) -> bool:
    op = node.op
    if isinstance(op, Comparison | Logic):
        return bool((results[0] == (side == "true")).any())
    x = operands[0]
    if x is None:
        return False
    if isinstance(op, If | Where):
        return bool((x == (side == "true")).any())
    if isinstance(op, Max | Min):
        y = operands[1]
        return y is not None and bool(((x > y) if side == "first larger" else (y > x)).any())
    if isinstance(op, Loop):
        runs = int(x.reshape(-1)[0])
        return {"no run": runs < 1, "one run": runs == 1}.get(side, runs > 1)
    if isinstance(op, Clip):
        low, high = (*operands[1:], None, None)[:2]
        below = np.zeros(x.shape, bool) if low is None else x < low
        above = np.zeros(x.shape, bool) if high is None else x > high
        return bool({"below": below, "above": above}.get(side, ~below & ~above).any())
    kink = op.alpha if isinstance(op, ThresholdedRelu) else 0.0
    return bool((x > kink).any() if side == "above" else (x < kink).any())
