"""Bodies of products."""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Results, Target, always, constant_cost, operand
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.einsum import Einsum
from nncomp.ops.linear import MatMul
from nncomp.ops.shape import Squeeze, Unsqueeze


def _matrix_products(b: Builder, node: Node) -> Results:
    """onnxruntime's own Einsum transposes more, and its MatMul is what its fusions know."""
    results: Results = node.op.decompose(b, *node.inputs)
    return results


def _no_vector(node: Node, target: Target) -> str | None:
    ranks = operand(node, 0).rank, operand(node, 1).rank
    return "both operands are matrices" if min(ranks) > 1 else None


def _with_columns(b: Builder, node: Node) -> Value:
    """A vector as a matrix of one row or column.

    onnxruntime's optimiser joins a Transpose with the MatMul that reads it, and then multiplies
    by a vector as if nothing had been transposed (1.31).
    """
    x, y = operand(node, 0), operand(node, 1)
    row, column = x.rank == 1, y.rank == 1
    left = b(Unsqueeze(), x, b.ints(0)) if row else x
    right = b(Unsqueeze(), y, b.ints(1)) if column else y
    units = [axis for axis, is_unit in ((-2, row), (-1, column)) if is_unit]
    return b(Squeeze(), b(MatMul(), left, right), b.ints(*units))


BODIES = (
    Body("matrix-products", Einsum, always, constant_cost(0.9), _matrix_products),
    Body("vector-as-matrix", MatMul, _no_vector, constant_cost(1.0), _with_columns),
)
