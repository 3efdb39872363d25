"""What a gradient rule of control flow is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Gradients

Seeds = Sequence[tuple[Value, Value]]
PullBack = Callable[[Builder, Seeds, Sequence[Value]], list[Value | None]]


@dataclass(frozen=True, slots=True)
class ControlVjp:
    """What a rule of control flow sees.

    b: builds nodes around the node
    dy: the gradient of each result, None for zero
    active: for each operand, whether its gradient is wanted
    pull_back: the reverse sweep, for bodies: the gradients with respect to some values of what
        others lead to, given the gradient of each of these
    """

    b: Builder
    node: Node
    dy: tuple[Value | None, ...]
    active: Sequence[bool]
    pull_back: PullBack

    def nothing(self) -> list[Value | None]:
        """No gradient yet, for each operand."""
        return [None] * len(self.node.inputs)


Rule = Callable[[ControlVjp], Gradients]
