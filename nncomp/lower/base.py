"""A graph that a program's text goes on from."""

from __future__ import annotations

from collections.abc import Mapping

from nncomp.dims import DimLike
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Data
from nncomp.lower.context import Context
from nncomp.lower.store import Initial, Store
from nncomp.records import record
from nncomp.source import Span
from nncomp.types import Array


@record
class Base:
    """A graph whose nodes stand before the statements of a model, in each of its graphs.

    weights: first values of its parameters, by path
    names: what the text may name of it
    """

    graph: Graph
    weights: Mapping[str, Array]
    names: Mapping[str, Value | DimLike]

    def enter(self, ctx: Context) -> None:
        """Begins a graph with it."""
        graph = self.graph
        ctx.b.nodes += graph.nodes
        for value in graph.inputs:
            ctx.declared.add(value.name)
            ctx.inputs[value.name] = value
        for parameter in graph.parameters:
            ctx.parameters[parameter.path] = parameter
            ctx.current[parameter.path] = parameter.value
        ctx.outputs |= graph.outputs
        ctx.obligations |= dict.fromkeys(graph.obligations)
        ctx.frame.names |= self.names

    def initialize(self, store: Store, span: Span) -> None:
        """Makes the weights the initial values of its parameters."""
        for parameter in self.graph.parameters:
            op = Constant(Data(self.weights[parameter.path]))
            node = store.builder.append(Node(op, (), (op.infer(),)))
            store.initial[parameter.path] = Initial(parameter.kind, node.outputs[0], span)
