"""Faults in what recognises formulas, merges products and works on matrices."""

from __future__ import annotations

import dataclasses
from typing import Any

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import HardSigmoid, Softmax, Tanh
from nncomp.ops.elementwise import Add, Div, Mul
from nncomp.ops.elementwise_math import Exp, Log, Sqrt
from nncomp.ops.forms import reduce_mean, reshape, transpose
from nncomp.ops.linear import MatMul
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.reduction import ReduceMax
from nncomp.ops.shape import Expand
from nncomp.passes import (
    eliminate_no_ops,
    flatten_rows,
    fold_scales,
    fuse_activations,
    fuse_attention,
    fuse_gelu,
    fuse_layer_norm,
    fuse_rms_norm,
    fuse_rotary,
    merge_products,
    patterns,
    simplify_transposes,
    squeeze_reductions,
)
from nncomp.passes.fuse_attention import Scaled
from nncomp.passes.fuse_gelu import INSIDE
from nncomp.passes.rewrite import Replacement
from tests.passes import test_attention, test_recognised
from tests.passes.broken.fault import Fault, N, start
from tests.passes.support import Net


def always(*_: object) -> bool:
    return True


def never(*_: object) -> None:
    return None


def twice_gelu(net: Net) -> Value:
    x = start(net, N, 5)
    return net(Mul(), x, test_recognised.one_plus_erf(net, x))


def bent_gelu(net: Net) -> Value:
    return test_recognised.tanh_gelu(net, start(net, N, 5))


def steep_gate(net: Net) -> Value:
    x = start(net, N, 5)
    return net(Mul(), x, net(HardSigmoid(), x))


def log_two_plus(net: Net) -> Value:
    return net(Log(), net(Add(), net(Exp(), start(net, N, 5)), 2.0))


def normed(net: Net) -> Value:
    y = test_recognised.layer_norm(net, start(net, N, 4, 6), -1)
    return net(Mul(), net(Add(), y, net.param(6)), net.param(6))


def normed_along_two(net: Net) -> Value:
    return test_recognised.layer_norm(net, start(net, N, 4, 6), 1, 2)


def with_epsilon(right: Any) -> Any:
    def wrong(node: Node) -> Any:
        found = right(node)
        return found and dataclasses.replace(found, epsilon=0.1)

    return wrong


def along_the_last(right: Any) -> Any:
    return lambda op, x, nodes: right(dataclasses.replace(op, axis=-1), x, nodes)


def shift_as_it_is(norm: Node, c: Value) -> Any:
    x, scale, *shift = norm.inputs
    return lambda b: b(norm.op, x, b(Mul(), scale, c), *shift)


def rms_norm(net: Net) -> Value:
    return test_recognised.rms_norm(net, start(net, N, 6), "divide")


def mean_of_exponentials(net: Net) -> Value:
    x = start(net, N, 6)
    mean = reduce_mean(net.b, net(Exp(), x), [-1], keep=True)
    return net(Div(), x, net(Sqrt(), net(Add(), mean, 1e-5)))


def attention(net: Net, *mask: Any) -> Value:
    parts = [test_attention.heads(net, start(net, N, 5, 6)) for _ in range(3)]
    seen = test_attention.weights(net, parts[0], parts[1], *mask)
    return test_attention.rows(net, net(MatMul(), seen, parts[2]))


def masked(net: Net) -> Value:
    return attention(net, test_attention.causal(net, 5))


def masked_alike(net: Net) -> Value:
    return attention(net, net(Tanh(), net.input(N, 1, 5, 1)))


def scaled_rows(net: Net) -> Value:
    y = net(Add(), net(MatMul(), start(net, N, 3, 4), net.param(4, 5)), net.param(5))
    return net(Mul(), y, net.param(5))


def without_scaled_bias(right: Any) -> Any:
    def wrong(x: Value, w: Value, bias: Value | None, s: Value) -> Any:
        product = right(x, w, None, s)
        return lambda b: b(Add(), product(b), bias)

    return wrong


def added_twice(net: Net) -> Value:
    y = net(Add(), start(net, N, 3, 4), net.param(4))
    return net(Add(), y, net.param(3, 4))


def only_the_first(x: Value, c: Value, d: Value, b: Builder) -> Value:
    return b(Add(), x, b(Expand(), c, b.ints(*d.type.static_shape)))


def without_factor(value: Value) -> Scaled:
    return dataclasses.replace(fuse_attention_scaled(value), factor=1.0)


fuse_attention_scaled = fuse_attention.scaled


def without_mask(right: Any) -> Any:
    def wrong(softmax: Node) -> Any:
        found = right(softmax)
        return found and (found[0], None, found[2])

    return wrong


def heads_before_places(b: Builder, x: Value) -> Value:
    batch, length, count, size = x.shape
    return reshape(b, transpose(b, x, 0, 2, 1, 3), batch, length, count * size)


def turned(net: Net) -> Value:
    return test_attention.rotated(net, start(net, 1, 2, 5, 4), *test_attention.angles(net, 5, 4))


def swapped_angles(right: Any) -> Any:
    return lambda b, x, cos, sin: right(b, x, sin, cos)


def projections(net: Net) -> tuple[Value, ...]:
    x = start(net, N, 6)
    return tuple(net(Add(), net(MatMul(), x, net.param(6, 4)), net.param(4)) for _ in range(3))


def without_biases(group: Any) -> None:
    return None


def softmax_of_columns(net: Net) -> Value:
    x = start(net, 3, 5, 6)
    for _ in range(2):
        x = net(Add(), net(MatMul(), x, net.param(6, 6)), net.param(6))
    y = net(Softmax(axis=1), x)
    for _ in range(2):
        y = net(Add(), net(MatMul(), y, net.param(6, 6)), net.param(6))
    return y


def any_axis(right: Any) -> Any:
    def wrong(node: Node) -> Any:
        return (node.inputs[0],) if isinstance(node.op, Softmax) else right(node)

    return wrong


def merged(net: Net) -> Value:
    x = reshape(net.b, start(net, 2, 3, 4, 5), 6, 4, 5)
    return reshape(net.b, transpose(net.b, x, 0, 2, 1), 3, 2, 5, 4)


def averaged(net: Net) -> Value:
    x = start(net, N, 4, 5, 4)
    return reshape(net.b, reduce_mean(net.b, x, [2, 3], keep=True), N, 4)


def along_the_first(right: Any) -> Any:
    def wrong(op: Any, inputs: Any, *nodes: Node) -> Any:
        return Replacement(lambda b: reduce_mean(b, inputs[0], [1, 2]), nodes)

    return wrong


def pooled(net: Net) -> Value:
    return reshape(net.b, net(GlobalAveragePool(), start(net, 5, 3, 4, 2)), 5, 3)


def pair(what: str, *rest: Any, most: int = 12) -> Fault:
    return Fault(what, *rest, most=most)


FAULTS = (
    pair(
        "GELU with any factor",
        *("fuse-gelu", "recognise-gelu", twice_gelu),
        ((fuse_gelu, "near", always),),
    ),
    pair(
        "GELU by tanh as the exact one",
        *("fuse-gelu", "recognise-gelu", bent_gelu),
        ((fuse_gelu, "INSIDE", ((Tanh, "none", INSIDE[1][2]),)),),
    ),
    pair(
        "HardSwish of any slope",
        *("fuse-activations", "recognise-gate", steep_gate),
        ((fuse_activations, "near", always),),
        most=4,
    ),
    pair(
        "Softplus of any summand",
        *("fuse-activations", "recognise-softplus", log_two_plus),
        ((fuse_activations, "is_number", always),),
        most=5,
    ),
    pair(
        "layer normalisation with another epsilon",
        *("fuse-layer-norm", "recognise-layer-norm", normed),
        ((fuse_layer_norm, "normal_of", with_epsilon(fuse_layer_norm.normal_of)),),
    ),
    pair(
        "layer normalisation along the last axis only",
        *("fuse-layer-norm", "recognise-layer-norm", normed_along_two),
        ((fuse_layer_norm, "normalized", along_the_last(fuse_layer_norm.normalized)),),
    ),
    pair(
        "a shift that is not scaled",
        *("fuse-layer-norm", "take-scale", normed),
        ((fuse_layer_norm, "_scaled", shift_as_it_is),),
    ),
    pair(
        "root mean square with another epsilon",
        *("fuse-rms-norm", "recognise-rms-norm", rms_norm),
        ((fuse_rms_norm, "normal_of", with_epsilon(fuse_rms_norm.normal_of)),),
    ),
    pair(
        "anything as a square",
        *("fuse-rms-norm", "recognise-rms-norm", mean_of_exponentials),
        ((patterns, "_is_square_of", always),),
    ),
    pair(
        "attention without its scale",
        *("fuse-attention", "recognise-attention", attention),
        ((fuse_attention, "scaled", without_factor),),
    ),
    pair(
        "attention without its mask",
        *("fuse-attention", "recognise-attention", masked),
        ((fuse_attention, "_scores", without_mask(fuse_attention._scores)),),
    ),
    pair(
        "a mask with one number for all keys",
        *("fuse-attention", "recognise-attention", masked_alike),
        ((fuse_attention, "_misfit", never),),
    ),
    pair(
        "a scale that misses the bias",
        *("fold-batch-norm", "fold-scale", scaled_rows),
        ((fold_scales, "_scaled", without_scaled_bias(fold_scales._scaled)),),
    ),
    pair(
        "the second constant forgotten",
        *("eliminate-no-ops", "merge-sums", added_twice),
        ((eliminate_no_ops, "_sum", only_the_first),),
        most=8,
    ),
    pair(
        "rows that have heads before places",
        *("fuse-attention", "join-heads", attention),
        ((fuse_attention, "joined", heads_before_places),),
        most=20,
    ),
    pair(
        "cosines for sines",
        *("fuse-rotary", "recognise-rotary", turned),
        ((fuse_rotary, "_turn", swapped_angles(fuse_rotary._turn)),),
    ),
    pair(
        "merged products without their biases",
        *("merge-products", "merge-parallel", projections),
        ((merge_products, "_biases", without_biases),),
    ),
    pair(
        "softmax of columns as one of rows",
        *("flatten-rows", "flatten", softmax_of_columns),
        ((flatten_rows, "row_operands", any_axis(flatten_rows.row_operands)),),
        most=20,
    ),
    pair(
        "the mean along other axes",
        *("squeeze-reductions", "drop-reduced-axes", averaged),
        ((squeeze_reductions, "by_node", along_the_first(squeeze_reductions.by_node)),),
        most=6,
    ),
    pair(
        "the largest of an image for its mean",
        *("squeeze-reductions", "pool-to-vector", pooled),
        ((squeeze_reductions, "ReduceMean", ReduceMax),),
        most=6,
    ),
    pair(
        "axes parted in another order",
        *("simplify-transposes", "transpose-of-merged", merged),
        ((simplify_transposes, "_same", always),),
    ),
)
