"""Faults in what convolutions take in: pads, additions, activations."""

from __future__ import annotations

import dataclasses
from typing import Any

from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ops.activation import LeakyRelu, Relu, Sigmoid
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise import Add, Clip, Mul
from nncomp.ops.shape_slicing import Pad
from nncomp.passes import (
    fold_pads,
    fuse_conv_activation,
)
from nncomp.passes.base import PassContext, PassResult
from nncomp.passes.eliminate_no_ops import operand
from nncomp.passes.fuse_conv_activation import (
    FuseActivation,
    FuseConvActivation,
    FuseSwish,
    fused_op,
    open_convolution,
)
from nncomp.passes.rewrite import Answer, Facts, by_node
from tests.passes.broken.fault import Fault, N, start
from tests.passes.support import Net


def padded(net: Net, value: float = 0.0, *amounts: int) -> Value:
    x = net(Pad(), start(net, N, 3, 6, 6), net.b.ints(*amounts), net.const(value))
    return net(Conv(), x, net.param(4, 3, 3, 3))


def padded_by_ones(net: Net) -> Value:
    return padded(net, 1.0, 0, 0, 1, 1, 0, 0, 1, 1)


def padded_unevenly(net: Net) -> Value:
    return padded(net, 0.0, 0, 0, 2, 0, 0, 0, 0, 2)


def any_value(value: Value) -> float:
    return 0.0


def ends_swapped(right: Any) -> Any:
    def wrong(pad: Node) -> Any:
        pads = right(pad)
        half = len(pads) // 2
        return pads if isinstance(pads, str) else (*pads[half:], *pads[:half])

    return wrong


def activated(net: Net) -> Value:
    return net(LeakyRelu(0.3), net(Conv(), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3)))


def clipped(net: Net) -> Value:
    x = net(Conv(), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3))
    return net(Clip(), x, None, 0.4)


def usual_slope(node: Node, facts: Facts) -> tuple[float, ...]:
    return (0.01,) if isinstance(node.op, LeakyRelu) else ()


def from_zero(node: Node, facts: Facts) -> tuple[float, ...]:
    bounds = [facts.constant(v) for v in node.inputs[1:]]
    return tuple(0.0 if a is None else float(a) for a in bounds)


def read_twice(net: Net) -> tuple[Value, ...]:
    x = net(Conv(), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3))
    return net(Relu(), x), net(Mul(), x, 2.0)


def for_all_readers(self: Any, graph: Graph, context: PassContext) -> PassResult:
    """Gives the activated result to whoever read the convolution."""
    values: dict[Value, Value] = {}
    nodes: list[Node] = []
    count = 0
    activations = {n.inputs[0]: n for n in graph.nodes if isinstance(n.op, Relu)}
    gone = set()
    for node in graph.nodes:
        relu = activations.get(node.outputs[0]) if isinstance(node.op, Conv) else None
        if relu is not None and context.allows(FuseActivation.name, node, relu):
            op = dataclasses.replace(fused_op(node), activation="Relu")
            origin = node.origin.merged([relu.origin], Rewrite(self.name, FuseActivation.name))
            fused = Node(op, node.inputs, (node.outputs[0].type,), origin)
            values[node.outputs[0]] = values[relu.outputs[0]] = fused.outputs[0]
            nodes.append(fused)
            gone.add(relu)
            count += 1
        elif node not in gone:
            new = Node(
                node.op,
                tuple(None if v is None else values.get(v, v) for v in node.inputs),
                tuple(v.type for v in node.outputs),
                node.origin,
            )
            values.update(zip(node.outputs, new.outputs, strict=True))
            nodes.append(new)
    if not count:
        return PassResult(graph)
    return PassResult(graph.replace(nodes, values), {FuseActivation.name: count})


def residual(net: Net) -> Value:
    x = net(Conv(), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3))
    return net(Add(), x, start(net, N, 4, 4, 3))


def gated_by_another(net: Net) -> Value:
    x = net(Conv(), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3))
    return net(Mul(), x, net(Sigmoid(), start(net, N, 4, 4, 3)))


def nothing_added(right: Any) -> Any:
    def wrong(conv: Node, node: Node, op: Any, z: Value | None = None) -> Any:
        return right(conv, node, op)

    return wrong


def of_any_gate(self: Any, node: Node, facts: Facts) -> Answer:
    for y, gate in (node.inputs, node.inputs[::-1]):
        conv, sigmoid = open_convolution(y), operand(gate, Sigmoid)
        if conv is not None and sigmoid is not None:
            op = dataclasses.replace(fused_op(conv), activation="Swish")
            return by_node(op, conv.inputs, conv, sigmoid, node)
    return None


CONVOLUTIONS = "fuse-conv-activation"

FAULTS = (
    Fault(
        "a Pad by ones taken in",
        "fold-pads",
        "pad-into-conv",
        padded_by_ones,
        ((fold_pads, "constant_number", any_value),),
    ),
    Fault(
        "begin and end of a Pad swapped",
        "fold-pads",
        "pad-into-conv",
        padded_unevenly,
        ((fold_pads, "_zeros_added", ends_swapped(fold_pads._zeros_added)),),
    ),
    Fault(
        "another slope",
        CONVOLUTIONS,
        "fuse-activation",
        activated,
        ((fuse_conv_activation, "_parameters", usual_slope),),
    ),
    Fault(
        "a bound that is not there",
        CONVOLUTIONS,
        "fuse-activation",
        clipped,
        ((fuse_conv_activation, "_parameters", from_zero),),
    ),
    Fault(
        "a second reader ignored",
        CONVOLUTIONS,
        "fuse-activation",
        read_twice,
        ((FuseConvActivation, "run", for_all_readers),),
    ),
    Fault(
        "what is added left out",
        CONVOLUTIONS,
        "add-residual",
        residual,
        ((fuse_conv_activation, "_fused", nothing_added(fuse_conv_activation._fused)),),
    ),
    Fault(
        "the gate of another tensor",
        CONVOLUTIONS,
        "fuse-swish",
        gated_by_another,
        ((FuseSwish, "match", of_any_gate),),
    ),
)
