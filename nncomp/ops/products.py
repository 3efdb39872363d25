"""The operators that multiply matrices: they take the time, and their weights the memory."""

from __future__ import annotations

from nncomp.ir.graph import Graph, Node

PRODUCTS = frozenset({"Conv", "FusedConv", "ConvTranspose", "Gemm", "MatMul", "Einsum"})


def holders_of_products(graph: Graph) -> list[str]:
    """The operators of the graph in whose bodies products stand."""
    return sorted({node.op.name for node in graph.holders if _holds_product(node)})


def _holds_product(node: Node) -> bool:
    return any(
        inner.op.name in PRODUCTS or _holds_product(inner)
        for body in node.op.bodies
        for inner in body.nodes
    )
