"""Bodies of products."""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Results, Target, constant_cost
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.einsum import Einsum


def _never_refuses(node: Node, target: Target) -> str | None:
    return None


def _matrix_products(b: Builder, node: Node) -> Results:
    """onnxruntime's own Einsum transposes more, and its MatMul is what its fusions know."""
    results: Results = node.op.decompose(b, *node.inputs)
    return results


BODIES = (Body("matrix-products", Einsum, _never_refuses, constant_cost(0.9), _matrix_products),)
