"""Which values of a graph live in blocked order: those that convolutions make, and what is
computed from them elementwise.

One walk in order. A value may exist in plain order, in blocked order, or in both: it is reordered
when it is first read in the order that it lacks. A gradient whose channels are still to be scaled
(batch norm's) waits for its reader: a gradient of convolution scales its small weights instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from nncomp.backends.ort.blocked import clipping, convolution, normalization
from nncomp.backends.ort.blocked.convolution_forms import (
    blocked_conv,
    blocked_input_grad,
    blocked_weight_grad,
)
from nncomp.backends.ort.blocked.operators import (
    BlockedConv,
    BlockedGlobalAveragePool,
)
from nncomp.backends.ort.blocked.values import Values, operand
from nncomp.dims import equal_shapes
from nncomp.ir.graph import Graph, Node, Rewrite
from nncomp.ir.live import live_nodes
from nncomp.ir.op import Op
from nncomp.ir.rebuild import remap
from nncomp.ops import activation, elementwise, elementwise_math
from nncomp.ops.comparison import Equal
from nncomp.ops.conv import Conv
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Reciprocal, Sqrt, constant_number
from nncomp.ops.forms import count
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormGrad, BatchNormTraining
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.types import DType

PASS = "block-layout"


def block_layout(graph: Graph, block: int) -> Graph:
    """The graph with blocked operators wherever they apply; blocks of that many channels."""
    return _Layout(graph, block).run()


class _Layout(Values):
    def run(self) -> Graph:
        for node in live_nodes(self.graph):
            form = _FORMS.get(type(node.op), _elementwise if type(node.op) in _POINTWISE else None)
            with self.b.at(node.origin.merged((), Rewrite(PASS, node.op.name))):
                done = form is not None and form(self, node)
            if not done:
                with self.b.at(node.origin):
                    for value in node.operands:
                        self.plain(value)
                self.b.append(remap(node, self._plain))
        for value in self.graph.results:
            self.plain(value)
        return self.graph.replace(self.b.nodes, self._plain)


Form = Callable[[_Layout, Node], bool]


# --- batch norm ------------------------------------------------------------------------------


def _batch_norm(layout: _Layout, node: Node) -> bool:
    x, scale, bias = (operand(node, i) for i in range(3))
    if not layout.has_blocked(x):
        return False
    assert isinstance(node.op, BatchNormTraining)
    b, block = layout.b, layout.block
    given, shift = layout.blocked(x), layout.shifts.get(x)
    if shift is not None and shift.exact:
        mean, centered = shift.value, normalization.Shifted(given, None)
    else:
        mean = normalization.channel_mean(b, given, block)
        if shift is None:
            centered = normalization.centered(b, given, mean, block)
        else:
            centered = normalization.Shifted(given, mean)
            mean = b(Add(), mean, shift.value)
    var = normalization.variance(b, centered, block)
    inv_std = b(Reciprocal(), b(Sqrt(), b(Add(), var, node.op.epsilon)))
    slope = b(Mul(), layout.plain(scale), inv_std)
    y = normalization.affine(b, centered, slope, layout.plain(bias), block)
    layout.give_blocked(node.outputs[0], y)
    for old, new in zip(node.outputs[1:], (mean, var, inv_std), strict=True):
        layout.give(old, new)
    layout.centered[x, node.outputs[1]] = centered
    return True


def _frozen_batch_norm(layout: _Layout, node: Node) -> bool:
    """By given statistics, as in the evaluation of a step."""
    assert isinstance(node.op, BatchNormalization)
    x, *vectors = (operand(node, i) for i in range(5))
    if not layout.has_blocked(x) or node.op.training_mode:
        return False
    if any(v.type.dtype is not DType.F32 for v in vectors):
        return False
    b = layout.b
    scale, bias, mean, var = (layout.plain(v) for v in vectors)
    slope = b(Mul(), scale, b(Reciprocal(), b(Sqrt(), b(Add(), var, node.op.epsilon))))
    offset = b(Sub(), bias, b(Mul(), mean, slope))
    y = convolution.per_channel(b, layout.blocked(x), slope, offset, layout.block)
    layout.give_blocked(node.outputs[0], y)
    return True


def _batch_norm_grad(layout: _Layout, node: Node) -> bool:
    dy, x, scale, mean, inv_std = (operand(node, i) for i in range(5))
    if not layout.has_blocked(x):
        return False
    b, block = layout.b, layout.block
    gradient = layout.blocked(dy)
    centered = layout.centered.get((x, mean))
    if centered is None and x in layout.shifts:
        rest = b(Sub(), layout.plain(mean), layout.shifts[x].value)
        centered = normalization.Shifted(layout.blocked(x), rest)
    elif centered is None:
        centered = normalization.centered(b, layout.blocked(x), layout.plain(mean), block)
    total = normalization.channel_mean(b, gradient, block)
    covariance = normalization.covariance(b, gradient, total, centered, block)
    weighted = b(Mul(), covariance, layout.plain(inv_std))
    # dX = slope · (dY - (X - mean) · inv_std · mean(dY · x̂) - mean(dY))
    along = b(Neg(), b(Mul(), layout.plain(inv_std), weighted))
    given = layout.added(dy, node)
    dx = normalization.affine(b, centered, along, b(Neg(), total), block, given)
    slope = b(Mul(), layout.plain(scale), layout.plain(inv_std))
    layout.give_blocked(node.outputs[0], dx, slope)
    elements = count(b, (x.shape[0], *x.shape[2:]), x.type.dtype)
    layout.give(node.outputs[1], b(Mul(), weighted, elements))
    layout.give(node.outputs[2], b(Mul(), total, elements))
    return True


# --- what follows convolutions ---------------------------------------------------------------


def _add(layout: _Layout, node: Node) -> bool:
    """The convolution that made an operand adds the other one."""
    for x, z in (node.inputs, node.inputs[::-1]):
        assert x is not None
        assert z is not None
        conv = layout.open_convolution(x)
        if conv is None or len(conv.inputs) > 3 or not equal_shapes(x.shape, z.shape):
            continue
        w, bias = conv.inputs[1], conv.inputs[2] if len(conv.inputs) > 2 else None
        y = layout.b(conv.op, conv.inputs[0], w, bias, layout.added(z, node))
        layout.give_blocked(node.outputs[0], y)
        return True
    return _elementwise(layout, node)


def _relu(layout: _Layout, node: Node) -> bool:
    """The convolution that made the operand takes its maximum with 0."""
    conv = layout.open_convolution(operand(node, 0))
    if conv is None:
        return _elementwise(layout, node)
    assert isinstance(conv.op, BlockedConv)
    op = dataclasses.replace(conv.op, activation="Relu")
    layout.give_blocked(node.outputs[0], layout.b(op, *conv.inputs))
    return True


def _elementwise(layout: _Layout, node: Node) -> bool:
    """The operator itself, where an operand is blocked and all are of one shape, or numbers."""
    y = node.outputs[0]
    whole = [v for v in node.operands if equal_shapes(v.shape, y.shape)]
    numbers = [v for v in node.operands if set(v.shape) <= {1} and v not in whole]
    if len(whole) + len(numbers) < len(list(node.operands)):
        return False
    if not any(layout.has_blocked(v) for v in whole):
        return False
    inputs = [v and (layout.plain(v) if v in numbers else layout.blocked(v)) for v in node.inputs]
    layout.give_blocked(y, layout.b(node.op, *inputs))
    return True


# --- between two bounds ----------------------------------------------------------------------


def _clip(layout: _Layout, node: Node) -> bool:
    """The convolution that made X takes it between the bounds, where X is read only to see whether
    it was: Y says that too."""
    x, y = operand(node, 0), node.outputs[0]
    low, high = (constant_number(v) for v in (*node.inputs[1:], None, None)[:2])
    masks = [n for n in layout.graph.uses[x] if type(n.op) is Equal and y in n.operands]
    conv = layout.open_convolution(x, 1 + len(masks))
    if conv is None or low is None or high is None or not all(_is_mask(layout, n) for n in masks):
        return _elementwise(layout, node)
    within = clipping.bounds(low, high)
    if within is None:
        return _elementwise(layout, node)
    assert isinstance(conv.op, BlockedConv)
    op = dataclasses.replace(conv.op, activation="Clip", activation_params=(low, high))
    layout.give_blocked(y, layout.b(op, *conv.inputs))
    layout.masks |= {n.outputs[0]: (y, within) for n in masks}
    return True


def _is_mask(layout: _Layout, node: Node) -> bool:
    """Whether all that a comparison is read for is to multiply."""
    result = node.outputs[0]
    readers = layout.graph.uses.get(result, ())
    return len(readers) == layout.graph.use_count(result) and all(
        reader.op == Cast(DType.F32) for reader in readers
    )


def _equal(layout: _Layout, node: Node) -> bool:
    """A mask only, as there are no blocks of bool."""
    if node.outputs[0] in layout.masks:  # computed when it is read
        return True
    return _is_mask(layout, node) and _elementwise(layout, node)


def _cast(layout: _Layout, node: Node) -> bool:
    mask = operand(node, 0)
    if mask in layout.masks:
        y, within = layout.masks[mask]
        numbers = clipping.inside(layout.b, layout.blocked(y), within, layout.block)
        layout.give_blocked(node.outputs[0], numbers)
        return True
    return layout.has_blocked(mask) and _elementwise(layout, node)


def _global_average(layout: _Layout, node: Node) -> bool:
    x = operand(node, 0)
    if not layout.has_blocked(x):
        return False
    pool = BlockedGlobalAveragePool(layout.block)
    layout.give(node.outputs[0], layout.b(pool, layout.blocked(x)))
    return True


_FORMS: dict[type[Op], Form] = {
    Conv: blocked_conv,
    ConvInputGrad: blocked_input_grad,
    ConvWeightGrad: blocked_weight_grad,
    BatchNormTraining: _batch_norm,
    BatchNormGrad: _batch_norm_grad,
    BatchNormalization: _frozen_batch_norm,
    GlobalAveragePool: _global_average,
    Add: _add,
    activation.Relu: _relu,
    elementwise.Clip: _clip,
    Equal: _equal,
    Cast: _cast,
}
_POINTWISE: frozenset[type[Op]] = frozenset(
    (
        *(activation.ReluGrad, activation.Sigmoid, activation.Tanh, activation.LeakyRelu),
        *(activation.Elu, activation.HardSigmoid, activation.HardSwish),
        *(Mul, Sub, elementwise.Div, elementwise.Max, elementwise.Min),
        *(Neg, Sqrt, Reciprocal, elementwise_math.Abs, elementwise_math.Exp),
    )
)
