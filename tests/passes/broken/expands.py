"""Faults in what moves Expands, or does without them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Expand
from nncomp.passes import eliminate_expands
from nncomp.passes import eliminate_no_ops as no_ops
from nncomp.passes.eliminate_expands import BroadcastAnyway, ExpandLater, SumOfExpand
from nncomp.passes.rewrite import Answer, Facts, Replacement, by_node
from tests.passes.broken.fault import Fault, N, altered, start
from tests.passes.support import Net


def sum_of_expanded(net: Net) -> Value:
    x = net(Expand(), start(net, N, 1, 3), net.b.ints(1, 4, 3))
    return net(ReduceSum(keepdims=0), x, net.b.ints(1))


def forgets_the_count(node: Node, facts: Facts, answer: Answer) -> Answer:
    if not isinstance(answer, Replacement):
        return answer
    x = answer.nodes[1].inputs[0]
    return by_node(node.op, (x, *node.inputs[1:]), *answer.nodes)


def expanded_alone(net: Net) -> Value:
    x = net(Expand(), start(net, 1, 3), net.b.ints(4, 3))
    return net(Add(), x, net.param(3))


def whatever_the_others(self: Any, node: Node, facts: Facts) -> Answer:
    for place, value in enumerate(node.inputs):
        expand = no_ops.operand(value, Expand)
        if expand is not None:
            inputs = [*node.inputs]
            inputs[place] = expand.inputs[0]
            return by_node(node.op, inputs, node)
    return None


def difference_of_expanded(net: Net) -> Value:
    numbers = [net.b.constant(np.float32([1, 2, 4]) + first) for first in (0, 4.5)]
    x = start(net, N, 3)
    wide = net(Expand(), numbers[0], net.b.dims((*x.shape[:1], 3)))
    return net(Mul(), x, net(Sub(), wide, numbers[1]))


def swapped(node: Node, facts: Facts, answer: Answer) -> Answer:
    if not isinstance(answer, Replacement) or not isinstance(node.op, Sub):
        return answer
    left, right = (eliminate_expands._narrow(value, facts) for value in node.inputs)

    def build(b: Builder) -> Value:
        return b(Expand(), b(Sub(), right, left), b.dims(node.outputs[0].shape))

    return Replacement(build)


def _match(rule: type, change: Any) -> tuple[tuple[Any, str, Any], ...]:
    return ((rule, "match", altered(rule.match, change)),)  # type: ignore[attr-defined]


EXPANDS = "eliminate-expands"

FAULTS = (
    Fault(
        "a sum of equal numbers without their count",
        EXPANDS,
        "sum-of-expand",
        sum_of_expanded,
        _match(SumOfExpand, forgets_the_count),
    ),
    Fault(
        "an Expand dropped that nothing else makes up for",
        EXPANDS,
        "broadcast-anyway",
        expanded_alone,
        ((BroadcastAnyway, "match", whatever_the_others),),
    ),
    Fault(
        "the operands of what is expanded later swapped",
        EXPANDS,
        "expand-later",
        difference_of_expanded,
        _match(ExpandLater, swapped),
    ),
)
