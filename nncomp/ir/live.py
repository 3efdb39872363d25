"""Which nodes results depend on."""

from __future__ import annotations

from collections.abc import Iterable

from nncomp.ir.graph import Graph, Node, Value


def live_nodes(graph: Graph) -> list[Node]:
    """The nodes that a graph's outputs and updates depend on, in order."""
    return live_among(graph.nodes, graph.results)


def live_among(nodes: Iterable[Node], results: Iterable[Value]) -> list[Node]:
    """The nodes that the results depend on, in order."""
    needed = {value.node for value in results}
    found: list[Node] = []
    for node in reversed(list(nodes)):
        if node in needed:
            found.append(node)
            needed.update(value.node for value in node.operands)
    found.reverse()
    return found
