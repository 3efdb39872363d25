"""The tensors that are alive while a graph runs, node by node, and the most at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nncomp.inspect.cost import VIEWS, Measure, known_before_run
from nncomp.inspect.tables import Column, Table, share, sparkline
from nncomp.inspect.units import size
from nncomp.ir.graph import Graph, Node, Value

_MOST = 12  # tensors that are listed


@dataclass(frozen=True)
class Memory:
    """nodes: those that each run computes, in order
    alive: bytes of inputs and results that are held while each runs; what a body of control flow
        needs inside comes on top
    state: bytes of parameters, buffers, constants and what follows from them
    held: what is alive at the peak, the largest first
    """

    nodes: tuple[Node, ...]
    alive: tuple[int, ...]
    state: int
    held: tuple[tuple[Value, int], ...]

    @property
    def peak(self) -> int:
        return max(self.alive, default=0)

    @property
    def at(self) -> Node | None:
        """The first node at the peak."""
        return self.nodes[self.alive.index(self.peak)] if self.nodes else None


def memory(graph: Graph, sizes: Mapping[str, int] | None = None) -> Memory:
    """What a run holds if nodes run in the order of the graph, each tensor is freed after its last
    use, and no result takes the place of an operand.

    sizes: of symbolic dims by name; others count as their least size
    """
    measure = Measure(sizes or {})
    once = known_before_run(graph)
    nodes = tuple(n for n in graph.nodes if not all(v in once for v in n.outputs))
    owner = _owners(nodes)
    last: dict[Value, int] = {}
    for place, node in enumerate(nodes):
        for value in (*node.operands, *node.outputs):
            last[owner.get(value, value)] = place
    for value in graph.results:
        last[owner.get(value, value)] = len(nodes)
    parameters = {p.value for p in graph.parameters}
    dead: dict[int, list[Value]] = {}
    for value, place in last.items():
        dead.setdefault(place, []).append(value)
    held = {v: measure.bytes(v) for v in graph.inputs if v in last}
    now = sum(held.values())
    alive: list[int] = []
    peak: tuple[tuple[Value, int], ...] = ()
    most = -1
    for place, node in enumerate(nodes):
        for value in node.outputs:
            if value not in owner and (value in graph.uses or value in graph.result_values):
                held[value] = measure.bytes(value)
                now += held[value]
        alive.append(now)
        if now > most:
            most = now
            peak = tuple(sorted(held.items(), key=lambda pair: -pair[1]))
        for value in dead.get(place, ()):
            now -= held.pop(value, 0)
    read = {v for n in nodes for v in n.operands if v in once} | parameters
    return Memory(nodes, tuple(alive), sum(measure.bytes(v) for v in read), peak)


def _owners(nodes: tuple[Node, ...]) -> dict[Value, Value]:
    """For each view the tensor whose memory it looks into."""
    owner: dict[Value, Value] = {}
    for node in nodes:
        if node.op.name in VIEWS and node.operands:
            first = node.operands[0]
            owner[node.outputs[0]] = owner.get(first, first)
    return owner


def memory_table(found: Memory) -> Table:
    """What is alive at the peak, and how the whole run goes."""
    columns = (
        Column("tensor", number=False),
        Column("made_by", "made by", number=False),
        Column("type", number=False),
        Column("bytes", "size", size),
        Column("share", "share", share),
    )
    rows = [
        (
            value.name or None,
            _maker(value),
            str(value.type),
            count,
            count / found.peak if found.peak else 0.0,
        )
        for value, count in found.held[:_MOST]
    ]
    notes = [
        f"peak: {size(found.peak)} of activations at {_named(found.at)}, "
        f"{len(found.held)} tensors; parameters and constants: {size(found.state)}",
        sparkline(found.alive),
    ]
    if len(found.held) > _MOST:
        notes.insert(0, f"… and {len(found.held) - _MOST} smaller ones")
    return Table("alive at the peak", columns, tuple(rows), tuple(notes))


def timeline(found: Memory) -> Table:
    """The bytes that are alive at each node."""
    columns = (
        Column("node"),
        Column("operator", number=False),
        Column("block", number=False),
        Column("bytes", "alive", size),
    )
    rows = [
        (place, node.op.name, node.origin.scope, count)
        for place, (node, count) in enumerate(zip(found.nodes, found.alive, strict=True))
    ]
    return Table("memory over time", columns, tuple(rows))


def _maker(value: Value) -> str:
    return _named(value.node) if value.node is not None else "input"


def _named(node: Node | None) -> str:
    if node is None:
        return "no node"
    return f"{node.op.name} of {node.origin.scope}" if node.origin.scope else node.op.name
