"""Which nodes a graph's results depend on."""

from __future__ import annotations

from nncomp.ir.graph import Graph, Node


def live_nodes(graph: Graph) -> list[Node]:
    """The nodes that outputs and updates depend on, in order."""
    needed = {value.node for value in graph.results}
    live: list[Node] = []
    for node in reversed(graph.nodes):
        if node in needed:
            live.append(node)
            needed.update(value.node for value in node.operands)
    live.reverse()
    return live
