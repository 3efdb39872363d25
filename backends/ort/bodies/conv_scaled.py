"""Gradients of convolution where each channel of dY was multiplied by a number of its own.

Batch norm's backward pass ends with such a product. Taken into the small weights, it saves a pass
over the activations: dX = ConvInputGrad(dY · s, W) = ConvInputGrad(dY, s · W), and
dW = ConvWeightGrad(X, dY · s) = s · ConvWeightGrad(X, dY).
"""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Target, constant_cost, operand
from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.elementwise import Mul
from nncomp.ops.forms import reshape


def _scaled(dy: Value) -> tuple[Value, Value] | None:
    """dY before the product, and the numbers [K, 1, …] that its channels are multiplied by."""
    if dy.node is None or not isinstance(dy.node.op, Mul):
        return None
    for whole, scale in (dy.node.inputs, dy.node.inputs[::-1]):
        assert whole is not None
        assert scale is not None
        if whole.shape == dy.shape and _is_per_channel(scale, dy):
            return whole, scale
    return None


def _is_per_channel(scale: Value, dy: Value) -> bool:
    if scale.rank != dy.rank - 1:
        return False
    channels, *spatial = scale.shape
    return equal(channels, dy.shape[1]) is True and set(spatial) <= {1}


def _refuses(position: int, node: Node) -> str | None:
    scaled = _scaled(operand(node, position))
    return None if scaled else "the gradient is not a product with one number a channel"


def _input_refuses(node: Node, target: Target) -> str | None:
    return _refuses(0, node)


def _input_grad(b: Builder, node: Node) -> Value:
    scaled = _scaled(operand(node, 0))
    assert scaled is not None
    dy, scale = scaled
    w = operand(node, 1)
    return b(node.op, dy, b(Mul(), w, _along_filters(b, scale, w.rank)), operand(node, 2))


def _weight_refuses(node: Node, target: Target) -> str | None:
    return _refuses(1, node)


def _weight_grad(b: Builder, node: Node) -> Value:
    scaled = _scaled(operand(node, 1))
    assert scaled is not None
    dy, scale = scaled
    dw = b(node.op, operand(node, 0), dy, operand(node, 2))
    return b(Mul(), dw, _along_filters(b, scale, dw.rank))


def _along_filters(b: Builder, scale: Value, rank: int) -> Value:
    """[K, 1, …] of W's rank: filters are its first axis, channels of dY the second."""
    return reshape(b, scale, scale.shape[0], *(1,) * (rank - 1))


BODIES = (
    Body("scale-into-weights", ConvInputGrad, _input_refuses, constant_cost(0.0), _input_grad),
    Body("scale-after-weights", ConvWeightGrad, _weight_refuses, constant_cost(0.0), _weight_grad),
)
