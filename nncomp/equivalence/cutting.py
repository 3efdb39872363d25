"""The smallest piece of a graph on which a pass still changes an answer.

The piece starts as the nodes that the rewrite at fault takes, grows along operands and readers
until the fault shows, and loses then whatever it shows without (delta debugging: Zeller and
Hildebrandt, 2002). What it reads from outside becomes an input, or a constant where it depends on
constants alone; what is read outside becomes an output.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence, Set
from dataclasses import dataclass

from nncomp.dims import Dim
from nncomp.equivalence.running import Feed
from nncomp.errors import CompileError
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Parameter, Value
from nncomp.ir.op import Data
from nncomp.ir.rebuild import remap
from nncomp.types import Array

_HOPS = 6  # by which a piece grows before it is the whole graph
_TRIES = 300  # of cutting something away


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a graph as a graph of its own, and the numbers that its inputs had."""

    graph: Graph
    feed: Feed

    @property
    def size(self) -> int:
        """How many nodes compute something."""
        return sum(not isinstance(node.op, Constant | Dims) for node in self.graph.nodes)


Values = Callable[[Sequence[Value]], dict[Value, Array]]


def smallest(
    graph: Graph,
    start: Iterable[Node],
    values: Values,
    shows: Callable[[Piece], bool],
) -> Piece | None:
    """The smallest piece that was found; None if not even the whole graph shows the fault.

    start: nodes that the fault is about, in bodies or not; all of the graph if there are none
    values: the numbers of values of the graph in the run that showed the fault
    shows: whether a piece shows it
    """
    cutter = _Cutter(graph, values, shows)
    nodes = cutter.grown(cutter.holders(start))
    return None if nodes is None else cutter.shrunk(nodes)


class _Cutter:
    def __init__(self, graph: Graph, values: Values, shows: Callable[[Piece], bool]) -> None:
        self.graph = graph
        self.shows = shows
        self.found: Piece | None = None
        self._values = values
        self._arrays: dict[Value, Array] = {}
        self._known = _known(graph)
        self._free = {n for n in graph.nodes if isinstance(n.op, Constant | Dims)}

    def holders(self, wanted: Iterable[Node]) -> set[Node]:
        """The nodes of the graph itself that are, or whose bodies hold, the nodes."""
        inside = set(wanted)
        own = [n for n in self.graph.nodes if n in inside or _holds(n, inside)]
        return {n for n in own if n not in self._free}

    def grown(self, nodes: set[Node]) -> set[Node] | None:
        """The nodes with as many around them as it takes."""
        whole = {n for n in self.graph.nodes if n not in self._free}
        for _ in range(_HOPS if nodes else 0):
            if self._try(nodes):
                return nodes
            above = {v.node for n in nodes for v in n.operands if v.node is not None}
            below = {u for n in nodes for v in n.outputs for u in self.graph.uses.get(v, ())}
            wider = (nodes | above | below) & whole
            if wider == nodes:
                break
            nodes = wider
        return whole if self._try(whole) else None

    def shrunk(self, nodes: set[Node]) -> Piece | None:
        """Parts go, halves first, then single nodes, while the fault shows."""
        order = [n for n in self.graph.nodes if n in nodes]
        size, tries = max(len(order) // 2, 1), 0
        while tries < _TRIES and len(order) > 1:
            start, cut = 0, False
            while start < len(order) and tries < _TRIES:
                rest = order[:start] + order[start + size :]
                tries += 1
                if rest and self._try(set(rest)):
                    order, cut = rest, True
                else:
                    start += size
            if size == 1 and not cut:
                break
            size = max(size // 2, 1)
        return self.found

    def _try(self, nodes: Set[Node]) -> bool:
        try:
            piece = self._cut(nodes)
            shown = piece is not None and self.shows(piece)
        except CompileError:  # sizes of the piece that nothing tells, say
            return False
        if shown:
            self.found = piece
        return shown

    def _cut(self, nodes: Set[Node]) -> Piece | None:
        kept = [n for n in self.graph.nodes if n in nodes]
        made = {v for n in kept for v in n.outputs}
        read = dict.fromkeys(v for n in kept for v in n.operands if v not in made)
        inner = {v for v in read if v.node in self._free}
        arrays = self._numbers([v for v in read if v not in inner])
        values: dict[Value, Value] = {}
        built: list[Node] = [
            n for n in self.graph.nodes if n in self._free and n.outputs[0] in inner
        ]
        inputs: dict[str, Array] = {}
        parameters: dict[str, Array] = {}
        entries: list[Value] = []
        states: list[Parameter] = []
        paths = {p.value: p for p in self.graph.parameters if p.value not in self._known}
        for value in read:
            if value in inner:
                continue
            if value in self._known:
                constant = Data(arrays[value])
                node = Node(Constant(constant), (), (value.type,), names=(value.name,))
                values[value] = node.outputs[0]
                built.append(node)
            elif value in paths:
                parameter = paths[value]
                values[value] = value
                states.append(parameter)
                parameters[parameter.path] = arrays[value]
            else:
                name = _free_name(value.name or "x", inputs)
                values[value] = Value(value.type, name)
                inputs[name] = arrays[value]
                entries.append(values[value])
        built += [remap(n, values) for n in kept]
        results = self._results(kept)
        if not results:
            return None
        outputs: dict[str, Value] = {}
        for value in results:
            outputs[_free_name(value.name or "y", {**inputs, **outputs})] = values.get(value, value)
        graph = Graph("piece", tuple(entries), tuple(states), tuple(built), outputs)
        return Piece(graph, Feed(inputs, parameters))

    def _results(self, kept: Sequence[Node]) -> list[Value]:
        inside = set(kept)
        wanted = self.graph.result_values
        return [
            v
            for n in kept
            for v in n.outputs
            if v in wanted or any(u not in inside for u in self.graph.uses.get(v, ()))
        ]

    def _numbers(self, values: Collection[Value]) -> dict[Value, Array]:
        missing = [v for v in values if v not in self._arrays]
        if missing:
            self._arrays |= self._values(missing)
        return {v: self._arrays[v] for v in values}


def _holds(node: Node, wanted: Set[Node]) -> bool:
    pending = list(node.op.bodies)
    while pending:
        for inner in pending.pop().nodes:
            if inner in wanted:
                return True
            pending += inner.op.bodies
    return False


def _known(graph: Graph) -> set[Value]:
    """Values that depend on constants alone."""
    known: set[Value] = {p.value for p in graph.parameters if p.path not in graph.updates}
    for node in graph.nodes:
        if not node.op.pure or not known.issuperset(node.operands):
            continue
        if not isinstance(node.op, Dims) or not any(isinstance(d, Dim) for d in node.op.dims):
            known.update(node.outputs)
    return known


def _free_name(name: str, taken: Collection[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
