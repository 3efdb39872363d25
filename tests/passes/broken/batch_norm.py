"""Faults in what goes into batch norm, grouped weights and padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.linear import Gemm
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.passes import affine, channels, fold_batch_norm
from nncomp.passes.affine import Affine
from nncomp.passes.channels import Layout, Linear
from nncomp.types import DType
from tests.passes.broken.fault import Fault, N, start
from tests.passes.broken.fusions import AFTER, BATCH_NORM, BEFORE, before_conv, norm
from tests.passes.support import Net

ALONE = "fold-into-batch-norm"


def grouped_transposed(net: Net) -> Value:
    x = net(ConvTranspose(group=2), start(net, N, 4, 6, 5), net.param(4, 2, 3, 3))
    return norm(net, x)


def groups_interleaved(shape: tuple[int, ...], group: int) -> Layout:
    """The first channels of all groups beside each other."""
    outer, inner, *kernel = shape
    ones = (1,) * len(kernel)
    return Layout((outer // group, group, inner, *kernel), (1, group, inner, *ones))


def depthwise(net: Net) -> Value:
    return norm(net, net(Conv(group=4), start(net, N, 4, 6, 5), net.param(4, 1, 3, 3)))


def backwards(right: Any) -> Any:
    """The channels in reverse order."""

    def wrong(b: Any, value: Value, dtype: DType) -> Value:
        found: Value = right(b, value, dtype)
        turned = found.rank == 1 and isinstance(found.shape[0], int) and found.shape[0] > 1
        if not turned:
            return found
        from nncomp.ops.shape_slicing import Slice

        places = (b.ints(n) for n in (-1, -(2**31), 0, -1))
        return b(Slice(), found, *places)

    return wrong


def after_product(net: Net) -> Value:
    return norm(net, net(Gemm(transB=1), start(net, N, 4), net.param(4, 4), net.param(4)))


def rows_for_columns(self: Linear) -> Layout:
    transposed = getattr(self.op, "transB", 0)
    return channels._along(self.weights.type.static_shape, 1 if transposed else 0)


def before_scaled_product(net: Net) -> Value:
    return net(Gemm(alpha=0.5), norm(net, start(net, N, 4)), net.param(4, 3), net.param(3))


def without_alpha(b: Any, linear: Linear, found: Affine) -> Value:
    layout, kept = linear.inputs()
    factor = found.multiply(b) if found.multiply is not None else None
    shift = affine.apply(b, found, None, factor)
    assert shift is not None
    assert factor is not None
    moved = layout.sum_other(b, linear.weights, shift, kept)
    bias = channels.add_vectors(b, linear.bias(b), moved)
    return linear.rebuild(b, found.x, layout.times(b, linear.weights, factor), bias)


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
        "zero taken to stay zero at the padding",
        BATCH_NORM,
        BEFORE,
        before_conv,
        ((fold_batch_norm, "moves_zero", lambda found, facts: False),),
    ),
    Fault(
        "channels of groups interleaved",
        BATCH_NORM,
        AFTER,
        grouped_transposed,
        ((channels, "_grouped", groups_interleaved),),
    ),
    Fault(
        "channels of a depthwise Conv in reverse order",
        BATCH_NORM,
        AFTER,
        depthwise,
        ((affine, "cast", backwards(affine.cast)),),
    ),
    Fault(
        "rows of a matrix scaled for columns",
        BATCH_NORM,
        AFTER,
        after_product,
        ((Linear, "outputs", rows_for_columns),),
    ),
    Fault(
        "what a factor of Gemm does to the shift forgotten",
        BATCH_NORM,
        BEFORE,
        before_scaled_product,
        ((fold_batch_norm, "_before", without_alpha),),
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
