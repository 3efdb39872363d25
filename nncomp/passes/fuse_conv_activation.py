"""Convolution, the addition of a residual branch, and an activation as one FusedConv."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Elu, HardSigmoid, HardSwish, LeakyRelu, Relu, Sigmoid, Tanh
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise import Add, Clip, Mul
from nncomp.ops.fused import FusedConv
from nncomp.passes.eliminate_no_ops import operand, same_type
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass, by_node


class AddResidual(Rule):
    """Conv(X, W, B) + Z → FusedConv(X, W, B, Z), for Z of the convolution's shape.

    The convolution must have no other reader. Of two convolutions that are added the left one,
    in a residual block the main branch, takes the other in.
    """

    name = "add-residual"
    roots = (Add,)

    def match(self, node: Node, facts: Facts) -> Answer:
        refused = None
        for x, z in (node.inputs, node.inputs[::-1]):
            conv = open_convolution(x)
            if conv is None or len(conv.inputs) > 3 or x is None or z is None:
                continue
            if not same_type(x, z):
                refused = Refused(f"what is added is {z.type}, the convolution gives {x.type}")
                continue
            if why := facts.why_not_private(x):
                refused = Refused(f"the convolution cannot take the addition in: {why}")
                continue
            return _fused(conv, node, fused_op(conv), z)
        return refused


class FuseActivation(Rule):
    """f(Conv(X, W, B)) → FusedConv(X, W, B, activation=f), and the same with Z.

    f: Relu, Sigmoid, Tanh, HardSwish, LeakyRelu, Elu, HardSigmoid, Clip between constants. The
    convolution must have no other reader.
    """

    name = "fuse-activation"
    roots = (Relu, Sigmoid, Tanh, HardSwish, LeakyRelu, Elu, HardSigmoid, Clip)

    def match(self, node: Node, facts: Facts) -> Answer:
        conv = open_convolution(node.inputs[0])
        if conv is None:
            return None
        params = _parameters(node, facts)
        if params is None:
            return Refused("the bounds of Clip are computed at run time")
        if why := facts.why_not_private(conv.outputs[0]):
            return Refused(f"the convolution cannot take {node.op.name} in: {why}")
        op = dataclasses.replace(fused_op(conv), activation=node.op.name, activation_params=params)
        return _fused(conv, node, op)


class FuseSwish(Rule):
    """y · Sigmoid(y) → FusedConv(X, W, B, activation=Swish) for y = Conv(X, W, B)."""

    name = "fuse-swish"
    roots = (Mul,)

    def match(self, node: Node, facts: Facts) -> Answer:
        for y, s in (node.inputs, node.inputs[::-1]):
            conv, sigmoid = open_convolution(y), operand(s, Sigmoid)
            if conv is None or sigmoid is None or sigmoid.inputs[0] is not y:
                continue
            assert y is not None
            private = facts.why_not_private(sigmoid.outputs[0]) is None
            if y in facts.results or facts.reads[y] > 2 or not private:
                return Refused("the convolution cannot take Swish in: it has other readers")
            op = dataclasses.replace(fused_op(conv), activation="Swish")
            return by_node(op, conv.inputs, conv, sigmoid, node)
        return None


def open_convolution(value: Value | None) -> Node | None:
    """The convolution that gives the value, if it has no activation yet."""
    node = operand(value, Conv, FusedConv)
    if node is not None and isinstance(node.op, FusedConv) and node.op.activation:
        return None
    return node


def fused_op(conv: Node) -> FusedConv:
    """A convolution's attributes as those of a FusedConv."""
    attributes: dict[str, Any] = {
        f.name: getattr(conv.op, f.name) for f in dataclasses.fields(conv.op)
    }
    return FusedConv(**attributes)


def _fused(conv: Node, node: Node, op: FusedConv, z: Value | None = None) -> Replacement:
    x, w, bias, other = (*conv.inputs, None, None)[:4]
    return by_node(op, (x, w, bias, other if z is None else z), conv, node)


def _parameters(node: Node, facts: Facts) -> tuple[float, ...] | None:
    """The activation's parameters in ONNX's order; None if they are not known."""
    op = node.op
    if isinstance(op, LeakyRelu | Elu):
        return (op.alpha,)
    if isinstance(op, HardSigmoid):
        return (op.alpha, op.beta)
    if not isinstance(op, Clip):
        return ()
    bounds = []
    low, high = (*node.inputs[1:], None, None)[:2]
    for value, unbounded in ((low, -math.inf), (high, math.inf)):
        array = facts.constant(value)
        if value is not None and array is None:
            return None
        bounds.append(unbounded if array is None else float(array))
    return tuple(bounds)


@dataclass(frozen=True)
class FuseConvActivation(RulePass):
    """activation(Conv(X, W, B) + Z) → FusedConv: one kernel, no tensor in between."""

    name = "fuse-conv-activation"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return AddResidual(), FuseActivation(), FuseSwish()
