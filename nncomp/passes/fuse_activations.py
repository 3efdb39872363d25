"""Activations that are written out, as the operators that ONNX has for them.

    x · min(max(x + 3, 0), 6) / 6             =  HardSwish(x)          opset 14
    x · HardSigmoid(x, alpha=1/6, beta=1/2)   =  HardSwish(x)
    x · tanh(log(1 + exp(x)))                 =  Mish(x)               opset 18
    log(1 + exp(x))                           =  Softplus(x)           which exp does not overflow

An older opset has the formulas again, as the operators' `decompose` writes them. Swish (opset 24)
is not among them: onnxruntime has no kernel for it, so that it would be written as x · sigmoid(x).
"""

from __future__ import annotations

from dataclasses import dataclass

from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import (
    HardSigmoid,
    HardSwish,
    Mish,
    Softplus,
    Tanh,
)
from nncomp.ops.elementwise import Add, Clip, Div, Mul
from nncomp.ops.elementwise_math import Exp, Log
from nncomp.passes.eliminate_no_ops import operand, same_type
from nncomp.passes.patterns import (
    is_number,
    near,
    polynomial_in,
    product_of,
    why_not_closed,
)
from nncomp.passes.rewrite import Answer, Facts, Refused, Rule, RulePass, by_node


class RecogniseGate(Rule):
    """x · g(x) → HardSwish or Mish, where g is one of their gates.

    The steps in between must have no reader but each other.
    """

    name = "recognise-gate"
    roots = (Mul, Div)

    def match(self, node: Node, facts: Facts) -> Answer:
        product = product_of(node, facts)
        if len(product.values) != 2:
            return None
        for x, gate in (product.values, product.values[::-1]):
            if not same_type(x, node.outputs[0]) or not x.type.dtype.is_float:
                continue
            found = _gate(gate, x, product.scale)
            if found is None:
                continue
            op, steps = found
            nodes = (*product.nodes, *steps)
            if why := why_not_closed(facts, nodes, node):
                return Refused(f"the formula of {op.name} is needed step by step: {why}")
            return by_node(op, (x,), *nodes)
        return None


def _gate(gate: Value, x: Value, scale: float) -> tuple[Op, tuple[Node, ...]] | None:
    """The activation that x · scale · gate is, and the nodes that compute the gate."""
    node = gate.node
    if node is None:
        return None
    if isinstance(node.op, Clip):
        return _clip_gate(node, x) if near(scale, 1 / 6, x) else None
    if not near(scale, 1, x):
        return None
    if isinstance(node.op, HardSigmoid):
        own = node.op.alpha, node.op.beta
        is_gate = near(own[0], 1 / 6, x) and near(own[1], 0.5, x) and node.inputs[0] is x
        return (HardSwish(), (node,)) if is_gate else None
    soft = operand(node.inputs[0], Softplus) if isinstance(node.op, Tanh) else None
    if soft is None or soft.inputs[0] is not x:
        return None
    return Mish(), (node, soft)


def _clip_gate(node: Node, x: Value) -> tuple[Op, tuple[Node, ...]] | None:
    """HardSwish and its steps, where the Clip is min(max(x + 3, 0), 6)."""
    inside, *bounds = node.inputs
    if len(bounds) != 2 or not is_number(bounds[0], 0) or not is_number(bounds[1], 6):
        return None
    inner = polynomial_in(inside, x)
    if inner is None or not inner.is_near({0: 3.0, 1: 1.0}, x):
        return None
    return HardSwish(), (node, *inner.nodes)


class RecogniseSoftplus(Rule):
    """log(1 + exp(x)) → Softplus(x), if the steps have no other reader."""

    name = "recognise-softplus"
    roots = (Log,)

    def match(self, node: Node, facts: Facts) -> Answer:
        add = operand(node.inputs[0], Add)
        if add is None:
            return None
        for one, grown in (add.inputs, add.inputs[::-1]):
            exp = operand(grown, Exp)
            if exp is None or not is_number(one, 1):
                continue
            if not same_type(exp.outputs[0], add.outputs[0]):
                continue
            if why := why_not_closed(facts, (node, add, exp), node):
                return Refused(f"the formula of Softplus is needed step by step: {why}")
            return by_node(Softplus(), exp.inputs, node, add, exp)
        return None


@dataclass(frozen=True)
class FuseActivations(RulePass):
    """x · min(max(x + 3, 0), 6) / 6 → HardSwish(x); Mish and Softplus likewise."""

    name = "fuse-activations"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return RecogniseSoftplus(), RecogniseGate()
