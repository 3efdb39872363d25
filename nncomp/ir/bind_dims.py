"""Sizes into a graph: symbolic dims become numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress

from nncomp.dims import Dim, Symbol, substitute
from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Dims
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.obligation import Obligation, spelt


def bind_dims(graph: Graph, sizes: Mapping[Symbol, int]) -> Graph:
    """The graph for these sizes, in its inputs, in all types that follow and in bodies.

    CompileError NN0209 if they do not fulfil what the program asserts of them.
    """
    values: dict[Value, Value] = {}

    def bound(value: Value) -> Value:
        values[value] = Value(value.type.substitute(sizes), value.name)
        return values[value]

    inputs = tuple(bound(v) for v in graph.inputs)
    parameters = tuple(dataclasses.replace(p, value=bound(p.value)) for p in graph.parameters)
    b = Builder()
    for node in graph.nodes:
        _rebuild(b, node, sizes, values)
    graph = graph.replace(b.nodes, values)
    obligations = tuple(o for old in graph.obligations for o in _left(old, sizes))
    return dataclasses.replace(graph, inputs=inputs, parameters=parameters, obligations=obligations)


def _left(obligation: Obligation, sizes: Mapping[Symbol, int]) -> list[Obligation]:
    """What of an obligation the sizes leave open."""
    if obligation.symbols() <= sizes.keys():
        obligation.require(sizes)
        return []
    clause = []
    for comparison in obligation.clause:
        with suppress(ZeroDivisionError):  # then it does not hold
            clause.append(comparison.at(sizes))
    if not clause:
        raise error("NN0209", spelt(obligation.message, sizes), obligation.span)
    if any(comparison.decide() for comparison in clause):
        return []
    message = (p if isinstance(p, str) else substitute(p, sizes) for p in obligation.message)
    parts = tuple(p if isinstance(p, Dim) else str(p) for p in message)
    return [Obligation(tuple(clause), parts, obligation.span)]


def _rebuild(
    b: Builder, node: Node, sizes: Mapping[Symbol, int], values: dict[Value, Value]
) -> None:
    op = node.op
    if isinstance(op, Dims):
        with b.at(node.origin):
            values[node.outputs[0]] = b.dims([substitute(d, sizes) for d in op.dims])
        return
    if op.bodies:
        bodies = [bind_dims(body, sizes) for body in op.bodies]
        op = op.with_bodies([body for body in bodies if isinstance(body, Body)])
    inputs = tuple(None if v is None else values[v] for v in node.inputs)
    types = tuple(v.type.substitute(sizes) for v in node.outputs)
    new = b.append(Node(op, inputs, types, node.origin, tuple(v.name for v in node.outputs)))
    values.update(zip(node.outputs, new.outputs, strict=True))
