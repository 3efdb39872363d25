"""Convolutions and their gradients of a graph, in blocked order."""

from __future__ import annotations

from nncomp.backends.ort.blocked import convolution, normalization
from nncomp.backends.ort.blocked.filters import filled_filters, first_filters
from nncomp.backends.ort.blocked.operators import ReorderOutput
from nncomp.backends.ort.blocked.values import Values, operand
from nncomp.backends.ort.bodies.conv import Geometry, geometry
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise import Add, Mul, Neg
from nncomp.ops.forms import reshape
from nncomp.ops.normalization_batch import BatchNormGrad, BatchNormTraining
from nncomp.ops.windows import known
from nncomp.types import DType, Shape


def _geometry(layout: Values, node: Node, x: Shape, w: Shape, *, few: bool) -> Geometry | None:
    assert isinstance(node.op, Convolution)
    if len(x) != 4 or node.outputs[0].type.dtype is not DType.F32:
        return None
    found = geometry(node.op, x, w)
    if found is None:
        return None
    found = convolution.filled(found, layout.block)
    return found if convolution.whole_blocks(found, layout.block, few=few) else None


def blocked_conv(layout: Values, node: Node) -> bool:
    x, w = operand(node, 0), operand(node, 1)
    g = _geometry(layout, node, x.shape, w.shape, few=True)
    if g is None:
        return False
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        bias = filled_filters(layout.b, layout.plain(bias), g.filters)
    weights = filled_filters(layout.b, layout.plain(w), g.filters, g.channels // g.group)
    given = layout.plain(x) if g.channels < layout.block else layout.filled(x)
    if _only_normalized(layout, node.outputs[0]) and isinstance(given.shape[0], int):
        mean = normalization.expected_mean(layout.b, g, given, weights, layout.block)
        shift = mean if bias is None else layout.b(Add(), bias, mean)
        layout.shifts[node.outputs[0]] = normalization.Shift(shift, normalization.widens(g))
        bias = layout.b(Neg(), mean)
    y = convolution.forward(layout.b, g, given, weights, bias, layout.block)
    layout.give_filled(node.outputs[0], y)
    return True


def _only_normalized(layout: Values, y: Value) -> bool:
    """Whether nothing but batch norms, and their gradients, reads the whole blocks of y."""
    readers = layout.graph.uses.get(y, ())
    return (
        known(y.shape[1]) % layout.block == 0
        and len(readers) == layout.graph.use_count(y) > 0
        and all(
            (type(node.op) is BatchNormTraining and node.inputs[0] is y)
            or (type(node.op) is BatchNormGrad and node.inputs[1] is y)
            for node in readers
        )
    )


def blocked_input_grad(layout: Values, node: Node) -> bool:
    dy, w = operand(node, 0), operand(node, 1)
    g = _geometry(layout, node, node.outputs[0].shape, w.shape, few=False)
    if g is None:
        return False
    given, scale = layout.unscaled(dy)
    weights = layout.plain(w)
    if scale is not None:
        weights = _scaled(layout.b, weights, scale)
    filters = filled_filters(layout.b, weights, g.filters, g.channels // g.group)
    dx = convolution.input_grad(layout.b, g, given, filters, layout.block)
    if dx is not None:
        layout.give_filled(node.outputs[0], dx)
        return True
    if scale is None:
        return False
    plain = layout.b(ReorderOutput(layout.block, g.filters), given)
    layout.give(node.outputs[0], layout.b(node.op, plain, weights, node.inputs[2]))
    return True


def blocked_weight_grad(layout: Values, node: Node) -> bool:
    x, dy = operand(node, 0), operand(node, 1)
    g = _geometry(layout, node, x.shape, node.outputs[0].shape, few=True)
    if g is None:
        return False
    given, scale = layout.unscaled(dy)
    dw = None
    if g.channels >= layout.block:
        dw = convolution.weight_grad(layout.b, g, layout.filled(x), given, layout.block)
    if dw is None:
        if scale is None:
            return False
        plain = layout.b(ReorderOutput(layout.block, g.filters), given)
        dw = layout.b(node.op, layout.plain(x), plain, node.inputs[2])
    dw = first_filters(layout.b, dw, *node.outputs[0].shape[:2])
    layout.give(node.outputs[0], dw if scale is None else _scaled(layout.b, dw, scale))
    return True


def _scaled(b: Builder, w: Value, scale: Value) -> Value:
    """Weights [K, C, R, S] times numbers [K]."""
    return b(Mul(), w, reshape(b, scale, w.shape[0], 1, 1, 1))
