"""Scales after products of rows, folded into their weights: ConvNeXt's layer scale."""

from __future__ import annotations

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.linear import MatMul
from nncomp.ops.shape import Reshape
from nncomp.passes.eliminate_no_ops import operand, same_type
from nncomp.passes.rewrite import Answer, Build, Facts, Refused, Replacement, Rule


class FoldScale(Rule):
    """(x · W + b) · s → x · (W · s) + b · s, for weights W [K, M], known vectors or numbers b and
    s, and x of any rank; b may be missing. Nothing else reads the product, nor W."""

    name = "fold-scale"
    roots = (Mul,)

    def match(self, node: Node, facts: Facts) -> Answer:
        for y, s in (node.inputs, node.inputs[::-1]):
            if y is None or s is None or not _is_row(s, facts) or not y.type.dtype.is_float:
                continue
            add, bias = operand(y, Add), None
            product, steps = operand(y, MatMul), [node]
            if add is not None:
                product, bias = _biased(add, facts)
                steps.append(add)
            if product is None or not same_type(y, node.outputs[0]):
                continue
            x, w = product.operands
            if w.rank != 2 or s.shape[-1:] not in ((), (1,), w.shape[1:]) or not facts.is_known(w):
                continue
            if facts.is_known(x):
                continue
            for step in (product, *steps[1:]):
                if why := facts.why_not_private(step.outputs[0]):
                    return Refused(f"{step.op.name} cannot take the scale in: {why}")
            if why := facts.why_not_private(w):
                return Refused(f"the weights would be stored twice: {why}")
            return Replacement(_scaled(x, w, bias, s), (product, *steps))
        return None


def _is_row(value: Value, facts: Facts) -> bool:
    """Whether it is a known vector along the last axis, or a number."""
    return facts.is_known(value) and all(dim == 1 for dim in value.shape[:-1])


def _biased(add: Node, facts: Facts) -> tuple[Node | None, Value | None]:
    """The product that the node adds a known row to, and the row."""
    for y, bias in (add.inputs, add.inputs[::-1]):
        product = operand(y, MatMul)
        if product is None or y is None or bias is None or not _is_row(bias, facts):
            continue
        if same_type(y, add.outputs[0]):
            return product, bias
    return None, None


def _scaled(x: Value, w: Value, bias: Value | None, s: Value) -> Build:
    def build(b: Builder) -> Value:
        row = s if s.rank < 2 else b(Reshape(), s, b.ints(-1))
        y = b(MatMul(), x, b(Mul(), w, row))
        return y if bias is None else b(Add(), y, b(Mul(), bias, s))

    return build
