"""Faults in how batch norm goes into weights: channels, groups and padding."""

from __future__ import annotations

from typing import Any

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.linear import Gemm
from nncomp.passes import (
    affine,
    channels,
    fold_batch_norm,
)
from nncomp.passes.affine import Affine
from nncomp.passes.channels import Layout, Linear
from nncomp.passes.rewrite import Facts
from nncomp.types import DType
from tests.passes.broken.batch_norm import AFTER, BATCH_NORM, BEFORE, before_conv, norm
from tests.passes.broken.fault import Fault, N, start
from tests.passes.support import Net


def before_grouped(net: Net) -> Value:
    x = norm(net, start(net, N, 4, 6, 5))
    return net(Conv(group=2), x, net.param(6, 2, 3, 3))


def after_transposed(net: Net) -> Value:
    x = net(ConvTranspose(), start(net, N, 4, 6, 5), net.param(4, 4, 3, 3))
    return norm(net, x)


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


FAULTS = (
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
)
