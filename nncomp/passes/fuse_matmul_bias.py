"""Matrix products with what surrounds them, as Gemm."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Add
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.shape import Transpose
from nncomp.passes.eliminate_no_ops import operand, same_type
from nncomp.passes.rewrite import Answer, Facts, Refused, Rule, RulePass, by_node


class TakeTransposes(Rule):
    """A · Bᵀ → Gemm(A, B, transB=1), and the same for A, for matrices."""

    name = "take-transposes"
    roots = (MatMul, Gemm)

    def match(self, node: Node, facts: Facts) -> Answer:
        a, b_ = (_untransposed(v) for v in node.inputs[:2])
        gemm = as_gemm(node)
        if gemm is None or (a is None and b_ is None):
            return None
        op = dataclasses.replace(
            gemm,
            transA=gemm.transA ^ (a is not None),
            transB=gemm.transB ^ (b_ is not None),
        )
        left, right = a or node.inputs[0], b_ or node.inputs[1]
        above = [v.node for v, inner in zip(node.inputs, (a, b_), strict=False) if inner and v]
        inputs = (left, right, *node.inputs[2:])
        return by_node(op, inputs, node, *(n for n in above if n is not None))


class TransposeResult(Rule):
    """(A · B)ᵀ → Gemm(B, A, transA=1, transB=1), if nothing else reads the product.

    So the gradient of a weight that is used transposed has the weight's own layout.
    """

    name = "transpose-result"
    roots = (Transpose,)

    def match(self, node: Node, facts: Facts) -> Answer:
        product = operand(node.inputs[0], MatMul, Gemm)
        gemm = None if product is None else as_gemm(product)
        if product is None or gemm is None or _untransposed(node.outputs[0]) is None:
            return None
        if len(product.inputs) > 2:
            return Refused("what is added would have to be transposed")
        if why := facts.why_not_private(product.outputs[0]):
            return Refused(f"the product cannot be computed transposed: {why}")
        op = dataclasses.replace(gemm, transA=1 - gemm.transB, transB=1 - gemm.transA)
        return by_node(op, product.inputs[::-1], product, node)


class AddBias(Rule):
    """A · B + C → Gemm(A, B, C), for matrices, if C broadcasts to the product's shape."""

    name = "add-bias"
    roots = (Add,)

    def match(self, node: Node, facts: Facts) -> Answer:
        for y, c in (node.inputs, node.inputs[::-1]):
            product = operand(y, MatMul, Gemm)
            if product is None or y is None or c is None or not y.type.dtype.is_float:
                continue
            gemm = as_gemm(product)
            if gemm is None or len(product.inputs) > 2 or not same_type(y, node.outputs[0]):
                continue
            if why := facts.why_not_private(y):
                return Refused(f"the product cannot take the addition in: {why}")
            op = dataclasses.replace(gemm, beta=1.0)
            return by_node(op, (*product.inputs, c), product, node)
        return None


def as_gemm(node: Node) -> Gemm | None:
    """The Gemm that a product of two matrices is; None for other ranks and for integers."""
    if isinstance(node.op, Gemm):
        return node.op
    if all(v.rank == 2 and v.type.dtype.is_float for v in node.operands):
        return Gemm()
    return None


def _untransposed(value: Value | None) -> Value | None:
    """The matrix whose transpose the value is."""
    node = operand(value, Transpose)
    if node is None or node.outputs[0].rank != 2:
        return None
    assert isinstance(node.op, Transpose)
    return node.inputs[0] if node.op.order(2) == (1, 0) else None


@dataclass(frozen=True)
class FuseMatmulBias(RulePass):
    """(A · Bᵀ) + C → Gemm(A, B, C, transB=1): one kernel, for matrices."""

    name = "fuse-matmul-bias"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return TakeTransposes(), TransposeResult(), AddBias()
