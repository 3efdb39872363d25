"""Common subexpressions: what is computed twice is computed once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ir.rebuild import remap
from nncomp.passes.base import Pass, PassContext, PassResult, Rewritten

_RULE = "merge-equal"


@dataclass(frozen=True)
class EliminateCommonSubexpressions(Pass):
    """Nodes of one operator, with the same attributes and operands, become the first of them.

    Only pure operators; a random stream is pure, since it is keyed by seed, step and site. The
    one that stays has the spans of all. Constants are equal by dtype, shape and bytes.
    """

    name = "eliminate-common-subexpressions"

    @property
    def rule_names(self) -> tuple[str, ...]:
        return (_RULE,)

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        twins = _twins(graph, context)
        if not twins:
            return PassResult(graph)
        values: dict[Value, Value] = {}
        nodes = []
        rewrites = []
        gone = {twin for group in twins.values() for twin in group}
        first_of = {twin: node for node, group in twins.items() for twin in group}
        for node in graph.nodes:
            if node in gone:
                for twice, once in zip(node.outputs, first_of[node].outputs, strict=True):
                    values[twice] = values.get(once, once)
                continue
            new = remap(node, values)
            if node in twins and not isinstance(node.op, Constant):
                new = _with_origins(new, twins[node])
                values.update(zip(node.outputs, new.outputs, strict=True))
                rewrites.append(Rewritten(_RULE, (node, *twins[node]), (new,)))
            nodes.append(new)
        counts = {_RULE: len(gone)}
        return PassResult(graph.replace(nodes, values), counts, rewrites=tuple(rewrites))


def _twins(graph: Graph, context: PassContext) -> dict[Node, list[Node]]:
    """For the first of each kind of node the others like it."""
    first: dict[Hashable, Node] = {}
    same: dict[Value, Value] = {}  # results of later nodes: those of the first
    twins: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        if not node.op.pure:
            continue
        inputs = tuple(v if v is None else same.get(v, v) for v in node.inputs)
        other = first.setdefault((node.op, _signs(node), inputs), node)
        if other is node or not _same_sizes(other, node):
            continue
        if context.allows(_RULE, other, node):
            twins.setdefault(other, []).append(node)
            same.update(zip(node.outputs, other.outputs, strict=True))
    return twins


def _same_sizes(one: Node, other: Node) -> bool:
    """Sizes that only a run tells have names of their own, which may be read elsewhere."""
    if not one.op.open_sizes:
        return True
    return all(a.type == b.type for a, b in zip(one.outputs, other.outputs, strict=True))


def _signs(node: Node) -> Hashable:
    """What equality of attributes overlooks: 0.0 == -0.0, and 1 == 1.0 == True."""
    return tuple(
        repr(value) for value in vars(node.op).values() if isinstance(value, float | tuple)
    )


def _with_origins(node: Node, twins: list[Node]) -> Node:
    rewrite = Rewrite(EliminateCommonSubexpressions.name, _RULE)
    origin = node.origin.merged([twin.origin for twin in twins], rewrite)
    types = tuple(v.type for v in node.outputs)
    return Node(node.op, node.inputs, types, origin, tuple(v.name for v in node.outputs))
