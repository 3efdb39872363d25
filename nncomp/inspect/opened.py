"""Graphs with the bodies of control flow laid open: what a picture shows as a block.

A Scan, Loop or If becomes the nodes of its body in a block of their own. Before them stand nodes
for what the body is given in each run, by name; behind them one for the operator itself, which
takes what the body gives. What is captured is read where it is. Such a graph is drawn, not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nncomp.inspect.cost import (
    Cost,
    Measure,
    NodeCost,
    cost,
    dearer,
    known_before_run,
    parameters_read,
    runs,
)
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Body, Graph, Node, Origin, Value
from nncomp.ir.op import Op, operator
from nncomp.ops.control import Loop, Scan


@operator
class Given(Op):
    """What a body is given in a run, from what the operator is given.

    kind: `Carried`, `Scanned`, `Iteration` or `Condition`; called: its name in the body
    axis, reverse: of what is scanned, where it is cut and from which end
    """

    signature = "value? -> inside"
    domain = "nncomp"
    pure = False  # another one in each run
    kind: str
    called: str = ""
    axis: int | None = None
    reverse: bool = False

    @property
    def name(self) -> str:
        return self.kind

    def attributes(self) -> dict[str, Any]:
        found = super().attributes()
        return {name: value for name, value in found.items() if name != "kind"}


@operator
class Control(Op):
    """The operator itself. kind: its name; settings: its attributes but the bodies"""

    signature = "inputs* -> outputs*"
    domain = "nncomp"
    pure = False
    kind: str
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        return self.kind

    def attributes(self) -> dict[str, Any]:
        return dict(self.settings)


@dataclass(frozen=True)
class Opened:
    """source: the graph as it was given; graph: laid open
    originals: what its nodes are there for, none of what is only `Given`
    inside: of what stands for an operator, all nodes of its block
    """

    source: Graph
    graph: Graph
    originals: Mapping[Node, Place] = field(default_factory=dict)
    inside: Mapping[Node, tuple[Node, ...]] = field(default_factory=dict)

    def original(self, node: Node) -> Node:
        """What a node is there for; itself, if it is as it was."""
        return self.originals[node].node if node in self.originals else node

    def costs(self, sizes: Mapping[str, int]) -> dict[Node, NodeCost]:
        """What each node costs in a run of the graph; that of a body counts at its nodes, with all
        its runs. Of the bodies of an If the dearer one counts, as in `cost`, so that the sums are
        the same."""
        if not self.inside:
            return dict(cost(self.graph, sizes).nodes)
        measure = Measure(sizes)
        once = known_before_run(self.graph)
        kinds = {p.value: p.kind for p in self.graph.parameters}
        known: dict[Graph, Cost] = {}
        found = {}
        for node in self.graph.nodes:
            if isinstance(node.op, (Given, Control)):
                found[node] = NodeCost()
                continue
            place = self.originals[node]
            for graph in (place.graph, *(b for h, _ in place.holders for b in h.op.bodies)):
                if graph not in known:
                    known[graph] = cost(graph, sizes)
            own, times = known[place.graph].nodes[place.node], 1
            for holder, body in place.holders:
                dearest = max((known[b] for b in holder.op.bodies), key=dearer)
                times *= runs(holder, measure) if known[body] is dearest else 0
            found[node] = NodeCost(
                times * own.flops,
                times * own.read,
                times * own.written,
                parameters_read(node, kinds, once, measure),
                own.once,
            )
        return found

    def cost(self, sizes: Mapping[str, int]) -> Cost:
        """What one run costs, the nodes of bodies told one by one; what is only given is none."""
        told = {n: c for n, c in self.costs(sizes).items() if not isinstance(n.op, Given)}
        return replace(cost(self.source, sizes), nodes=told)

    def scope(self, node: Node) -> str:
        """The instance that a node belongs to, whatever body it stands in."""
        return self.original(node).origin.scope


@dataclass(frozen=True)
class Place:
    """A node, the graph that it stands in, and the operators around, outermost first, each with
    its body that the node is in."""

    node: Node
    graph: Graph
    holders: tuple[tuple[Node, Body], ...] = ()


class Opener:
    """Opens graphs one after the other, those of one story: what stays keeps its names."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], dict[Origin, str]] = {}
        self._origins: dict[tuple[Origin, str, str], Origin] = {}
        self._ops: dict[Op, Op] = {}

    def open(self, graph: Graph) -> Opened:
        """The graph, itself if nothing is to be opened."""
        if not any(node.op.bodies for node in graph.nodes):
            return Opened(graph, graph)
        opening = _Opening(self)
        opening.run(graph, "", "", ())
        opened = graph.replace(opening.nodes, opening.values)
        return Opened(graph, opened, opening.originals, opening.inside)

    def label(self, scope: str, kind: str, origin: Origin) -> str:
        """The name of a block for an operator: `scan`, `scan_2`."""
        labels = self._labels.setdefault((scope, kind), {})
        number = len(labels) + 1
        name = kind.lower()
        return labels.setdefault(origin, name if number == 1 else f"{name}_{number}")

    def moved(self, origin: Origin, base: str, path: str) -> Origin:
        """An origin in the block of an operator. base: the scope that the operator stands in"""
        key = (origin, base, path)
        if key not in self._origins:
            scope = origin.scope
            if base and (scope == base or scope.startswith(f"{base}.")):
                scope = scope[len(base) + 1 :]
            around = [part for part in (path, scope) if part]
            self._origins[key] = replace(origin, scope=".".join(around))
        return self._origins[key]

    def op(self, op: Op) -> Op:
        """The same object for equal ones: by it a node is known again."""
        return self._ops.setdefault(op, op)


class _Opening:
    """One graph as it is opened."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.nodes: list[Node] = []
        self.values: dict[Value, Value] = {}
        self.originals: dict[Node, Place] = {}
        self.inside: dict[Node, tuple[Node, ...]] = {}

    def run(
        self, graph: Graph, base: str, path: str, holders: tuple[tuple[Node, Body], ...]
    ) -> None:
        """Adds the nodes of a graph that stands in the block `path`."""
        for node in graph.nodes:
            if isinstance(node.op, Constant) and not _is_read(node.outputs[0], graph):
                continue  # lowering leaves some in bodies that nobody reads
            origin = self._opener.moved(node.origin, base, path) if holders else node.origin
            place = Place(node, graph, holders)
            if node.op.bodies:
                self._holder(node, origin, place)
                continue
            inputs = [None if v is None else self.values.get(v, v) for v in node.inputs]
            made = self._add(node.op, inputs, node.outputs, origin)
            self.originals[made] = place

    def _add(
        self, op: Op, inputs: list[Value | None], outputs: tuple[Value, ...], origin: Origin
    ) -> Node:
        types = tuple(value.type for value in outputs)
        made = Node(op, tuple(inputs), types, origin, tuple(value.name for value in outputs))
        self.values.update(zip(outputs, made.outputs, strict=True))
        self.nodes.append(made)
        return made

    def _holder(self, node: Node, origin: Origin, place: Place) -> None:
        first = len(self.nodes)
        scope, base = origin.scope, node.origin.scope
        label = self._opener.label(scope, node.op.name, node.origin)
        path = f"{scope}.{label}" if scope else label
        own = self._opener.moved(replace(node.origin, scope=""), "", path)
        given = [None if v is None else self.values.get(v, v) for v in node.inputs]
        # a Loop takes the number of runs and the first condition, an If its condition
        first_given = 0 if isinstance(node.op, Scan) else 2 if isinstance(node.op, Loop) else 1
        results = given[:first_given]
        for number, body in enumerate(node.op.bodies):
            inner = path if len(node.op.bodies) == 1 else f"{path}.{('then', 'else')[number]}"
            self._entries(node.op, body, given, own)
            self.run(body, base, inner, (*place.holders, (node, body)))
            results += [self.values.get(v, v) for v in body.outputs.values()]
        settings = {n: v for n, v in node.op.attributes().items() if v not in node.op.bodies}
        op = self._opener.op(Control(node.op.name, tuple(settings.items())))
        made = self._add(op, results, node.outputs, own)
        self.originals[made] = place
        self.inside[made] = tuple(self.nodes[first:])

    def _entries(self, op: Op, body: Body, given: list[Value | None], origin: Origin) -> None:
        """What the body is given in each run; captures are what they are outside."""
        fresh = len(body.inputs) - body.captures
        captured = given[len(given) - body.captures :]
        self.values.update(
            (inside, value)
            for inside, value in zip(body.inputs[fresh:], captured, strict=True)
            if value is not None
        )
        for number, inside in enumerate(body.inputs[:fresh]):
            kind, axis, reverse = "Carried", None, False
            if isinstance(op, Scan) and number >= op.num_states:
                axis, direction = op.input_places[number - op.num_states]
                kind, reverse = "Scanned", bool(direction)
            elif isinstance(op, Loop) and number < 2:
                kind = ("Iteration", "Condition")[number]
                if not _is_read(inside, body):
                    continue
            own = self._opener.op(Given(kind, inside.name, axis, reverse))
            self._add(own, [given[number]], (inside,), origin)


def _is_read(value: Value, graph: Graph) -> bool:
    return value in graph.uses or value in graph.result_values


def opened(graph: Graph) -> Opened:
    """One graph with its bodies laid open."""
    return Opener().open(graph)
