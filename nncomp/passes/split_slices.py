"""Slices that part a tensor, as one Split.

    x[:a], x[a:b], x[b:]  =  Split(x, [a, b - a, …])      along any axis

Exporters write `roll` so, with a Concat in the other order, and the halves of a gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nncomp.dims import DimLike, equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ir.rebuild import remap
from nncomp.ops.shape_joining import Split
from nncomp.ops.shape_slicing import Slice
from nncomp.passes.base import Pass, PassContext, PassResult, Rewritten

_RULE = "slices-to-split"


@dataclass(frozen=True)
class Part:
    """A Slice that takes `count` numbers of one axis, from `start` on, and all of the others."""

    node: Node
    axis: int
    start: int
    count: int


@dataclass(frozen=True)
class SplitSlices(Pass):
    """x[:a], x[a:b], x[b:] → Split(x, [a, b - a, …]), where slices along an axis of known size take
    each of its numbers once."""

    name = "split-slices"

    @property
    def rule_names(self) -> tuple[str, ...]:
        return (_RULE,)

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        groups = [g for g in _groups(graph) if context.allows(_RULE, *(p.node for p in g))]
        if not groups:
            return PassResult(graph)
        order = {node: place for place, node in enumerate(graph.nodes)}
        first = {min((p.node for p in g), key=order.__getitem__): g for g in groups}
        gone = {part.node for group in groups for part in group}
        values: dict[Value, Value] = {}
        nodes: list[Node] = []
        rewrites = []
        for node in graph.nodes:
            if node in first:
                made = _split(remap(node, values), first[node], values)
                rewrites.append(Rewritten(_RULE, tuple(p.node for p in first[node]), tuple(made)))
                nodes += made
            elif node not in gone:
                nodes.append(remap(node, values))
        counts = {_RULE: len(groups)}
        return PassResult(graph.replace(nodes, values), counts, rewrites=tuple(rewrites))


def _groups(graph: Graph) -> list[list[Part]]:
    """The parts of each tensor along an axis, in their order, where they are all of it."""
    found: dict[tuple[Value, int], dict[int, list[Part]]] = {}
    for node in graph.nodes:
        part = _part(node)
        if part is not None:
            along = found.setdefault((node.operands[0], part.axis), {})
            along.setdefault(part.start, []).append(part)
    groups = []
    for (x, axis), parts in found.items():
        while (group := _row(parts, x.shape[axis])) is not None:
            groups.append(group)
            for part in group:
                parts[part.start].remove(part)
    return groups


def _row(parts: Mapping[int, Sequence[Part]], size: DimLike) -> list[Part] | None:
    """The first parts that follow each other, if they end at the size."""
    group: list[Part] = []
    place = 0
    while parts.get(place):
        group.append(parts[place][0])
        place += group[-1].count
    return group if len(group) > 1 and place == size else None


def _part(node: Node) -> Part | None:
    if not isinstance(node.op, Slice) or node.inputs[0] is None:
        return None
    types = [v.type if v is not None else None for v in node.inputs]
    if any(t is not None and t.elements is None for t in types[1:]):
        return None
    x = node.inputs[0]
    taken = [
        s
        for s in node.op.stretches(*types)  # type: ignore[arg-type]
        if s.step != 1 or equal(s.count, x.shape[s.axis]) is not True
    ]
    if len(taken) != 1 or taken[0].step != 1:
        return None
    axis, start, count = taken[0].axis, taken[0].start, taken[0].count
    if not isinstance(start, int) or not isinstance(count, int) or count < 1:
        return None
    return Part(node, axis, start, count)


def _split(node: Node, group: Sequence[Part], values: dict[Value, Value]) -> list[Node]:
    """The nodes in the place of a group's; enters its results in `values`.

    node: the first slice, of the graph that is being built
    """
    others = [part.node.origin for part in group]
    b = Builder(node.origin.merged(others, Rewrite(SplitSlices.name, _RULE)))
    old = [part.node.outputs[0] for part in group]
    sizes = b.ints(*(part.count for part in group))
    names = tuple(value.name for value in old)
    parts = b.multi(Split(axis=group[0].axis), node.inputs[0], sizes, names=names)
    values.update(zip(old, parts, strict=True))
    return b.nodes
