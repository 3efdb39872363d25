"""Faults in what joins products of matrices."""

from __future__ import annotations

import dataclasses
from typing import Any

from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Softmax
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.shape import Transpose
from nncomp.passes import (
    flatten_rows,
    fold_scales,
    merge_products,
)
from nncomp.passes.fuse_matmul_bias import AddBias, TakeTransposes, TransposeResult, as_gemm
from nncomp.passes.rewrite import Answer, Facts, by_node
from tests.passes.broken.fault import Fault, N, of_formula, start
from tests.passes.support import Net


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


PRODUCTS = "fuse-matmul-bias"


def scaled_rows(net: Net) -> Value:
    y = net(Add(), net(MatMul(), start(net, N, 3, 4), net.param(4, 5)), net.param(5))
    return net(Mul(), y, net.param(5))


def without_scaled_bias(right: Any) -> Any:
    def wrong(x: Value, w: Value, bias: Value | None, s: Value) -> Any:
        product = right(x, w, None, s)
        return lambda b: b(Add(), product(b), bias)

    return wrong


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


FAULTS = (
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
    of_formula(
        "a scale that misses the bias",
        *("fold-batch-norm", "fold-scale", scaled_rows),
        ((fold_scales, "_scaled", without_scaled_bias(fold_scales._scaled)),),
    ),
    of_formula(
        "merged products without their biases",
        *("merge-products", "merge-parallel", projections),
        ((merge_products, "_biases", without_biases),),
    ),
    of_formula(
        "softmax of columns as one of rows",
        *("flatten-rows", "flatten", softmax_of_columns),
        ((flatten_rows, "row_operands", any_axis(flatten_rows.row_operands)),),
        most=20,
    ),
)
