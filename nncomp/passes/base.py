"""What a pass is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from nncomp.ir.drawn import Drawn
from nncomp.ir.graph import Graph, Node
from nncomp.ir.op import Op
from nncomp.types import Array

Evaluate = Callable[[Op, Sequence[Array | None]], tuple[Array, ...]]


@dataclass(frozen=True)
class Held:
    """The first rewrite that a limit held back: the rule, and the nodes that it would replace."""

    rule: str
    nodes: tuple[Node, ...]


@dataclass
class Limit:
    """How many rewrites a pass may still do, so that the one at fault can be searched for.

    held: the first that it could not do any more; its nodes stand in the graph that it gives
    """

    left: int
    held: Held | None = None


@dataclass(frozen=True)
class PassContext:
    """What passes are handed.

    evaluate: computes an operator on arrays; without it nothing is computed while compiling
    limit: of rewrites, None for any number
    """

    evaluate: Evaluate | None = None
    limit: Limit | None = None

    def allows(self, rule: str, *nodes: Node) -> bool:
        """Whether a rewrite of these nodes may be done; a pass asks before each that it counts."""
        limit = self.limit
        if limit is None:
            return True
        if limit.left and limit.held is None:
            limit.left -= 1
            return True
        if limit.held is None:
            limit.held = Held(rule, nodes)
        return False


@dataclass(frozen=True)
class Refusal:
    """Why a rule that nearly matched did not fire at a node.

    node: of the graph that the pass was given or that it was building
    """

    rule: str
    node: Node
    reason: str


@dataclass(frozen=True)
class Rewritten:
    """One rewrite that was done: the rule, the nodes that it looked at, and those that it made.

    Both as they were while the pass ran: later rewrites may have given them other operands, or
    replaced them again.
    """

    rule: str
    taken: tuple[Node, ...]
    made: tuple[Node, ...] = ()


@dataclass(frozen=True)
class PassResult:
    """A graph, and what was done to it: how often each rule fired, and which were refused.

    rewrites: one by one, of passes that tell (others change as many nodes as `counts` says)
    """

    graph: Graph
    counts: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    rewrites: tuple[Rewritten, ...] = ()


@dataclass(frozen=True)
class Pass(Drawn):
    """A graph to a graph that computes the same. Its class docstring states the algebra.

    A pass leaves a valid graph, gives the very graph it was given if it changes nothing, and
    changes nothing when it is run again. It asks `context.allows` before each rewrite.
    opset: the first that has the operators which it makes of others
    rule_names: what its rewrites are counted as
    """

    name: ClassVar[str]
    opset: ClassVar[int] = 0

    @property
    def rule_names(self) -> tuple[str, ...]:
        raise NotImplementedError(f"{self.name} counts nothing")

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        raise NotImplementedError(f"{self.name} does nothing")
