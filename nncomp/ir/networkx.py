"""Export to networkx, for its algorithms. Nothing in the compiler itself goes through here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nncomp.ir.graph import Graph, Value
from nncomp.ir.naming import name_graph

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[str]:
    """The graph as a `networkx.MultiDiGraph`.

    Nodes are named as in the graph's text form: an input or a parameter by its own name, an
    operator by its first result, an output as `output NAME`, an update as `update PATH`. They have
    `kind` ("input", "param", "buffer", "state", "operator", "output", "update"), operators also
    `op`, `domain`, `scope`, `attributes` and `node` (our own object), values `type`.

    There is one edge for each operand: `value` (its name), `type`, `result` (which result of the
    source) and `operand` (which operand of the target).
    """
    import networkx

    names = name_graph(graph).values
    result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=graph.name)
    for value in graph.inputs:
        result.add_node(names[value], kind="input", type=value.type)
    for p in graph.parameters:
        result.add_node(names[p.value], kind=p.kind, type=p.value.type, path=p.path)

    def connect(value: Value, target: str, operand: int) -> None:
        source = value.node.outputs[0] if value.node is not None else value
        result.add_edge(
            names[source],
            target,
            value=names[value],
            type=value.type,
            result=value.index,
            operand=operand,
        )

    for node in graph.nodes:
        name = names[node.outputs[0]]
        result.add_node(
            name,
            kind="operator",
            op=node.op.name,
            domain=node.op.domain,
            scope=node.origin.scope,
            attributes=node.op.attributes(),
            node=node,
        )
        for number, operand in enumerate(node.inputs):
            if operand is not None:
                connect(operand, name, number)
    for kind, values in (("output", graph.outputs), ("update", graph.updates)):
        for key, value in values.items():
            result.add_node(f"{kind} {key}", kind=kind, type=value.type)
            connect(value, f"{kind} {key}", 0)
    return result
