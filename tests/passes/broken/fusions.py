"""Faults in what joins nodes: products, pads, batch norm, activations."""

from __future__ import annotations

import dataclasses
from typing import Any

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ops.activation import LeakyRelu, Relu
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.elementwise import Add, Clip, Div, Mul, Sub
from nncomp.ops.elementwise_math import Sqrt
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.shape import Transpose
from nncomp.ops.shape_slicing import Pad
from nncomp.passes import affine, channels, fold_batch_norm, fold_pads, fuse_conv_activation
from nncomp.passes.affine import Affine
from nncomp.passes.base import PassContext, PassResult
from nncomp.passes.channels import Layout, Linear
from nncomp.passes.fuse_conv_activation import FuseActivation, FuseConvActivation, fused_op
from nncomp.passes.fuse_matmul_bias import AddBias, TakeTransposes, TransposeResult, as_gemm
from nncomp.passes.rewrite import Answer, Facts, by_node
from tests.passes.broken.fault import Fault, N, start
from tests.passes.support import Net


def norm(net: Net, x: Value, **attributes: Any) -> Value:
    c = x.shape[1]
    assert isinstance(c, int)
    scale, shift, mean = (net.param(c) for _ in range(3))
    return net(BatchNormalization(**attributes), x, scale, shift, mean, net.param(c, positive=True))


def after_conv(net: Net) -> Value:
    x = net(Conv(pads=(1, 1, 1, 1)), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3), net.param(4))
    return norm(net, x)


def before_conv(net: Net) -> Value:
    x = norm(net, start(net, N, 4, 6, 5))
    return net(Conv(group=2, pads=(1, 1, 1, 1)), x, net.param(6, 2, 3, 3))


def before_grouped(net: Net) -> Value:
    x = norm(net, start(net, N, 4, 6, 5))
    return net(Conv(group=2), x, net.param(6, 2, 3, 3))


def after_transposed(net: Net) -> Value:
    x = net(ConvTranspose(), start(net, N, 4, 6, 5), net.param(4, 4, 3, 3))
    return norm(net, x)


def with_statistics(**fields: Any) -> Any:
    """A `_batch_norm` that is right but for these."""
    right = affine._batch_norm

    def wrong(node: Node, facts: Facts) -> Any:
        found = right(node, facts)
        if not isinstance(found, Affine):
            return found
        made = {name: make(node) for name, make in fields.items()}
        return dataclasses.replace(found, **made)

    return ((affine, "_batch_norm", wrong),)


def scale_over(deviation: Any) -> Any:
    """A `multiply` with this as the standard deviation."""

    def make(node: Node) -> Any:
        scale, variance = node.inputs[1], node.inputs[4]
        return lambda b: b(Div(), scale, deviation(b, variance))

    return make


def outside(b: Builder, variance: Value) -> Value:
    return b(Add(), b(Sqrt(), variance), 1e-5)


def another(b: Builder, variance: Value) -> Value:
    return b(Sqrt(), b(Add(), variance, 1e-6))


def variance_itself(b: Builder, variance: Value) -> Value:
    return b(Add(), variance, 1e-5)


def bias_as_it_is(b: Builder, found: Affine, x: Value | None, factor: Value | None) -> Value | None:
    moved = b(Mul(), found.subtract(b), factor) if found.subtract and factor else None
    shift = found.add(b) if found.add else None
    if moved is not None and shift is not None:
        shift = b(Sub(), shift, moved)
    return x if shift is None else shift if x is None else b(Add(), x, shift)


def of_the_first_axis(self: Linear) -> Layout:
    return channels._along(self.weights.type.static_shape, 0)


def without_groups(self: Linear) -> tuple[Layout, tuple[int, ...]]:
    shape = self.weights.type.static_shape
    ones = (1,) * len(shape[2:])
    # the channels of the first group for all
    return _FirstGroup(shape, (1, shape[1], *ones)), (0,)


class _FirstGroup(Layout):
    def times(self, b: Builder, w: Value, vector: Value) -> Value:
        return super().times(b, w, b(_first(self.vector[1]), vector, *_places(b, self.vector[1])))

    def sum_other(self, b: Builder, w: Value, vector: Value, kept: Any) -> Value:
        cut = b(_first(self.vector[1]), vector, *_places(b, self.vector[1]))
        return super().sum_other(b, w, cut, kept)


def _first(count: int) -> Any:
    from nncomp.ops.shape_slicing import Slice

    return Slice()


def _places(b: Builder, count: int) -> tuple[Value, Value]:
    return b.ints(0), b.ints(count)


def known_and_private(linear: Linear, found: Affine, facts: Facts) -> str | None:
    return facts.why_not_private(linear.x)


def trained(net: Net) -> Value:
    """Batch norm by the batch's own statistics, behind a convolution."""
    x = net(Conv(), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3))
    scale, shift, mean = (net.param(4) for _ in range(3))
    inputs = (x, scale, shift, mean, net.param(4, positive=True))
    return net.b.multi(BatchNormalization(training_mode=1), *inputs)[0]


def never_training(right: Any) -> Any:
    def wrong(node: Node, facts: Facts) -> Any:
        op = dataclasses.replace(node.op, training_mode=0)  # type: ignore[type-var]
        types = tuple(v.type for v in node.outputs)
        found = right(Node(op, node.inputs, types, node.origin), facts)
        return dataclasses.replace(found, node=node) if isinstance(found, Affine) else found

    return wrong


def subtracted_from(net: Net) -> Value:
    x = net(Conv(), start(net, N, 3, 6, 5), net.param(4, 3, 3, 3))
    return net(Sub(), net.param(4, 1, 1), x)


def either_way(right: Any) -> Any:
    def wrong(node: Node, x: Value, vector: Any, *, swapped: bool) -> Any:
        return right(node, x, vector, swapped=False)

    return wrong


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


def twice_transposed(net: Net) -> Value:
    y = net(Gemm(transB=1), start(net, N, 4), net(Transpose(), start(net, 4, 4)))
    return net(Mul(), y, 2.0)


def transposed_again(self: Any, node: Node, facts: Facts) -> Answer:
    gemm = as_gemm(node)
    above = node.inputs[1].node if node.inputs[1] is not None else None
    if gemm is None or above is None or not isinstance(above.op, Transpose):
        return None
    op = dataclasses.replace(gemm, transB=1)
    return by_node(op, (node.inputs[0], above.inputs[0], *node.inputs[2:]), node, above)


def transposed_product(net: Net) -> Value:
    return net(Transpose(), net(MatMul(), start(net, 4, 4), net(Transpose(), start(net, 4, 4))))


def in_the_same_order(self: Any, node: Node, facts: Facts) -> Answer:
    product = node.inputs[0].node if node.inputs[0] is not None else None
    gemm = (
        None if product is None or not isinstance(product.op, MatMul | Gemm) else as_gemm(product)
    )
    if product is None or gemm is None:
        return None
    op = dataclasses.replace(gemm, transA=1 - gemm.transA, transB=1 - gemm.transB)
    return by_node(op, product.inputs, product, node)


def scaled_product(net: Net) -> Value:
    y = net(Gemm(alpha=0.5), start(net, N, 3), net.param(3, 4))
    return net(Add(), y, net.param(4))


def as_plain_product(self: Any, node: Node, facts: Facts) -> Answer:
    product = node.inputs[0].node if node.inputs[0] is not None else None
    if product is None or not isinstance(product.op, MatMul | Gemm) or len(product.inputs) > 2:
        return None
    return by_node(Gemm(), (*product.inputs, node.inputs[1]), product, node)


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


BATCH_NORM = "fold-batch-norm"
AFTER, BEFORE = "fold-into-previous", "fold-into-next"
PRODUCTS = "fuse-matmul-bias"

FAULTS = (
    Fault(
        "another epsilon",
        BATCH_NORM,
        AFTER,
        after_conv,
        with_statistics(multiply=scale_over(another)),
    ),
    Fault(
        "epsilon outside the root",
        BATCH_NORM,
        AFTER,
        after_conv,
        with_statistics(multiply=scale_over(outside)),
    ),
    Fault(
        "no root of the variance",
        BATCH_NORM,
        AFTER,
        after_conv,
        with_statistics(multiply=scale_over(variance_itself)),
    ),
    Fault(
        "the mean forgotten",
        BATCH_NORM,
        AFTER,
        after_conv,
        with_statistics(subtract=lambda node: None),
    ),
    Fault(
        "the shift forgotten", BATCH_NORM, AFTER, after_conv, with_statistics(add=lambda node: None)
    ),
    Fault(
        "the bias not scaled",
        BATCH_NORM,
        AFTER,
        after_conv,
        ((fold_batch_norm, "apply", bias_as_it_is),),
    ),
    Fault(
        "weights of ConvTranspose scaled along the wrong axis",
        BATCH_NORM,
        AFTER,
        after_transposed,
        ((Linear, "outputs", of_the_first_axis),),
    ),
    Fault(
        "groups ignored", BATCH_NORM, BEFORE, before_grouped, ((Linear, "inputs", without_groups),)
    ),
    Fault(
        "the padding ignored",
        BATCH_NORM,
        BEFORE,
        before_conv,
        ((fold_batch_norm, "_why_not_before", known_and_private),),
    ),
    Fault(
        "training mode ignored",
        BATCH_NORM,
        AFTER,
        trained,
        ((affine, "_batch_norm", never_training(affine._batch_norm)),),
    ),
    Fault(
        "c - x taken for x - c",
        BATCH_NORM,
        AFTER,
        subtracted_from,
        ((affine, "_arithmetic", either_way(affine._arithmetic)),),
    ),
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
        "a transpose of a transpose",
        PRODUCTS,
        "take-transposes",
        twice_transposed,
        ((TakeTransposes, "match", transposed_again),),
    ),
    Fault(
        "a transposed product in the old order",
        PRODUCTS,
        "transpose-result",
        transposed_product,
        ((TransposeResult, "match", in_the_same_order),),
    ),
    Fault(
        "the factor of a Gemm forgotten",
        PRODUCTS,
        "add-bias",
        scaled_product,
        ((AddBias, "match", as_plain_product),),
    ),
    Fault(
        "another slope",
        "fuse-conv-activation",
        "fuse-activation",
        activated,
        ((fuse_conv_activation, "_parameters", usual_slope),),
    ),
    Fault(
        "a bound that is not there",
        "fuse-conv-activation",
        "fuse-activation",
        clipped,
        ((fuse_conv_activation, "_parameters", from_zero),),
    ),
    Fault(
        "a second reader ignored",
        "fuse-conv-activation",
        "fuse-activation",
        read_twice,
        ((FuseConvActivation, "run", for_all_readers),),
    ),
)
