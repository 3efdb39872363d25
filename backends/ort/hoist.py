"""Sizes for the bodies of control flow: computed outside, where the inputs' shapes can be read.

A `Dims` in a body whose symbols are known around it becomes a capture. Of one that holds a symbol
of the body's own too (a carried tensor that grows), the outer symbols become captures, and the
body reads the rest from its own values.
"""

from __future__ import annotations

from dataclasses import replace

from nncomp.dims import Dim, Symbol, symbols_in
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Dims
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.rebuild import remap

Sizes = dict[Symbol, Value]


def hoist_dims(graph: Graph) -> tuple[Graph, dict[Body, Sizes]]:
    """The graph with sizes captured; and for each body the i64[1] inputs that hold a symbol."""
    if not any(node.op.bodies for node in graph.nodes):
        return graph, {}
    hoisting = _Hoisting()
    known = _symbols([*graph.inputs, *(p.value for p in graph.parameters)])
    nodes, values = hoisting.nodes(graph, known)
    return graph.replace(nodes, values), hoisting.sizes


class _Hoisting:
    def __init__(self) -> None:
        self.sizes: dict[Body, Sizes] = {}

    def nodes(self, graph: Graph, known: set[Symbol]) -> tuple[list[Node], dict[Value, Value]]:
        """The graph's nodes with the sizes that their bodies ask for."""
        b = Builder()
        known = set(known)
        values: dict[Value, Value] = {}
        for original in graph.nodes:
            node = remap(original, values)
            if node.op.bodies:
                new = self.node(b, node, known)
                values.update(zip(original.outputs, new.outputs, strict=True))
            else:
                new = b.append(node)
            known |= _symbols(new.outputs)
        return b.nodes, values

    def node(self, b: Builder, node: Node, known: set[Symbol]) -> Node:
        asked: dict[Dims, None] = {}
        bodies = [self.body(body, known, asked) for body in node.op.bodies]
        if not asked:
            changed = any(x is not y for x, y in zip(bodies, node.op.bodies, strict=True))
            if not changed:
                return b.append(node)
        finished = [self.with_captures(body, list(asked)) for body in bodies]
        with b.at(node.origin):
            sizes = [b.dims(op.dims) for op in asked]
        types = tuple(v.type for v in node.outputs)
        names = tuple(v.name for v in node.outputs)
        op = node.op.with_bodies(finished)
        return b.append(Node(op, (*node.inputs, *sizes), types, node.origin, names))

    def body(self, body: Body, known: set[Symbol], asked: dict[Dims, None]) -> Body:
        """The body with what it holds itself done; `asked` gets what is wanted from around."""
        nodes, values = self.nodes(body, known | _symbols(body.inputs))
        for node in nodes:
            if not isinstance(node.op, Dims):
                continue
            symbols = symbols_in(node.op.dims)
            if symbols <= known:
                asked[node.op] = None
            else:
                asked.update((Dims((s.dim,)), None) for s in sorted(symbols & known, key=_order))
        result = body.replace(nodes, values)
        assert isinstance(result, Body)
        return result

    def with_captures(self, body: Body, asked: list[Dims]) -> Body:
        """The body with a capture for each vector that some body of the node asked for."""
        taken = {v.name for v in body.inputs}
        added: dict[Dims, Value] = {}
        for op in asked:
            name = "size"
            while name in taken:
                name += "_"
            taken.add(name)
            added[op] = Value(op.infer(), name)
        values: dict[Value, Value] = {}
        nodes = []
        for node in body.nodes:
            if isinstance(node.op, Dims) and node.op in added:
                values[node.outputs[0]] = added[node.op]
            else:
                nodes.append(remap(node, values))
        replaced = body.replace(nodes, values)
        assert isinstance(replaced, Body)
        new = replace(
            replaced,
            inputs=(*body.inputs, *added.values()),
            captures=body.captures + len(added),
        )
        lone = {op.dims[0]: value for op, value in added.items() if len(op.dims) == 1}
        self.sizes[new] = {
            d.symbol: v for d, v in lone.items() if isinstance(d, Dim) and d.symbol is not None
        }
        return new


def _symbols(values: list[Value] | tuple[Value, ...]) -> set[Symbol]:
    return symbols_in(d for v in values for d in v.shape)


def _order(symbol: Symbol) -> int:
    return symbol.serial
