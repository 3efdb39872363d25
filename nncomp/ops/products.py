"""The operators that multiply matrices: they take the time, and their weights the memory."""

from __future__ import annotations

from nncomp.ir.graph import Graph, Node

PRODUCTS = frozenset({"Conv", "FusedConv", "ConvTranspose", "Gemm", "MatMul", "Einsum"})


def why_in_float32(graph: Graph) -> str | None:
    """What to say of a graph of which no product can be float16: that they stand in bodies of
    control flow; None if there are none."""
    found = sorted({node.op.name for node in graph.holders if _holds_product(node)})
    holders = " and ".join(f"`{name}`" for name in found)
    if not found:
        return None
    return f"the products of {graph.name} stand in the body of {holders}, which stays float32"


def _holds_product(node: Node) -> bool:
    return any(
        inner.op.name in PRODUCTS or _holds_product(inner)
        for body in node.op.bodies
        for inner in body.nodes
    )
