"""What a pass is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from nncomp.ir.graph import Graph, Node
from nncomp.ir.op import Op
from nncomp.types import Array

Evaluate = Callable[[Op, Sequence[Array | None]], tuple[Array, ...]]


@dataclass(frozen=True)
class PassContext:
    """What passes are handed.

    evaluate: computes an operator on arrays; without it nothing is computed while compiling
    """

    evaluate: Evaluate | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a rule that nearly matched did not fire at a node.

    node: of the graph that the pass was given or that it was building
    """

    rule: str
    node: Node
    reason: str


@dataclass(frozen=True)
class PassResult:
    """A graph, and what was done to it: how often each rule fired, and which were refused."""

    graph: Graph
    counts: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class Pass:
    """A graph to a graph that computes the same. Its class docstring states the algebra.

    A pass leaves a valid graph, gives the very graph it was given if it changes nothing, and
    changes nothing when it is run again.
    """

    name: ClassVar[str]

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        raise NotImplementedError(f"{self.name} does nothing")
