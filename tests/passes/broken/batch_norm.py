"""Faults in what batch norm is, and in what goes into it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Relu
from nncomp.ops.conv import Conv
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Sqrt
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.passes import (
    affine,
    fold_batch_norm,
)
from nncomp.passes.affine import Affine
from nncomp.passes.rewrite import Facts
from nncomp.types import DType
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


BATCH_NORM = "fold-batch-norm"


AFTER, BEFORE = "fold-into-previous", "fold-into-next"


ALONE = "fold-into-batch-norm"


def scaled_before(net: Net) -> Value:
    x = net(Sub(), start(net, N, 4, 6, 5), net.param(4, 1, 1))
    return net(Relu(), norm(net, x))


def scaled_after(net: Net) -> Value:
    x = net(Mul(), norm(net, start(net, N, 4, 6, 5)), net.param(4, 1, 1))
    return net(Relu(), net(Add(), x, net.param(4, 1, 1)))


def the_other_way_round(right: Any) -> Any:
    def wrong(b: Any, batch_norm: Any, x: Value, before: Affine, after: Affine) -> Value:
        found: Value = right(b, batch_norm, x, after, before)
        return found

    return wrong


def of_the_shift_alone(b: Any, found: Affine, x: Value | None, factor: Value | None) -> Any:
    """Adds without having scaled."""
    if found.subtract is not None:
        moved = found.subtract(b)
        x = None if x is None else b(Sub(), x, moved)
    if found.add is None:
        return x
    return found.add(b) if x is None else b(Add(), x, found.add(b))


def small_variance(net: Net) -> Value:
    x = net(Cast(DType.F16), start(net, N, 3, 6, 5))
    w = net(Cast(DType.F16), net.param(4, 3, 3, 3))
    scale, shift = (net(Cast(DType.F16), net.param(4)) for _ in range(2))
    mean, variance = net.param(4), net.const(np.full(4, 1e-9, np.float32))
    op = BatchNormalization(epsilon=1e-9)
    return net(op, net(Conv(), x, w), net(Mul(), scale, 1e-4), shift, mean, variance)


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
        "arithmetic after batch norm taken for arithmetic before",
        BATCH_NORM,
        ALONE,
        scaled_before,
        ((fold_batch_norm, "_merged", the_other_way_round(fold_batch_norm._merged)),),
    ),
    Fault(
        "a shift not scaled with batch norm",
        BATCH_NORM,
        ALONE,
        scaled_after,
        ((fold_batch_norm, "apply", of_the_shift_alone),),
    ),
    Fault(
        "a small variance rounded to float16",
        BATCH_NORM,
        AFTER,
        small_variance,
        ((affine, "wide_of", lambda x: x.type.dtype),),
        most=6,
    ),
)
