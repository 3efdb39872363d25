"""A pass with one thing wrong in it, and a graph on which that changes an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nncomp.dims import DimLike, new_dim
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.activation import Tanh
from nncomp.ops.elementwise import Mul
from nncomp.passes.base import Pass
from nncomp.passes.manager import O2
from nncomp.passes.rewrite import Answer, Facts
from tests.passes.support import Net

N = new_dim("N")

Patch = tuple[Any, str, Any]
Match = Callable[[Any, Node, Facts], Answer]


@dataclass(frozen=True)
class Fault:
    """What is wrong, in words; the pass and rule that `verify` is to name.

    build: a graph that the fault changes; patches: the fault, as attributes put in place of others
    passes: which run; most: nodes that the smallest graph may have
    """

    what: str
    pass_name: str
    rule: str
    build: Callable[[Net], Value | tuple[Value, ...]]
    patches: tuple[Patch, ...]
    passes: tuple[Pass, ...] = O2
    most: int = 4

    def graph(self) -> Graph:
        """The graph with its parameters bound, with more around what the fault is about."""
        net = Net()
        made = self.build(net)
        outputs = [made] if isinstance(made, Value) else [*made]
        outputs = [
            net(Mul(), net(Tanh(), net(Mul(), v, 0.3)), 1.5) if v.type.dtype.is_float else v
            for v in outputs
        ]
        return net.bound(*outputs)


def start(net: Net, *shape: DimLike) -> Value:
    """An operand with nodes above it."""
    return net(Mul(), net(Tanh(), net.input(*shape)), 1.7)


def altered(match: Match, change: Callable[[Node, Facts, Answer], Answer]) -> Match:
    """A rule's match whose answer is changed."""
    return lambda self, node, facts: change(node, facts, match(self, node, facts))


def always(*_: object) -> bool:
    """For a condition that is never looked at."""
    return True


def never(*_: object) -> None:
    """For a reason that is never found."""


def of_formula(what: str, *rest: Any, most: int = 12) -> Fault:
    """In what recognises formulas of several nodes."""
    return Fault(what, *rest, most=most)
