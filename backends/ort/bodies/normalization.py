"""Bodies of normalization."""

from __future__ import annotations

import numpy as np

from nncomp.backends.ort.bodies.body import Body, Results, Target, constant_cost, operand
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Reciprocal, Sqrt
from nncomp.ops.forms import count, other_axes, per_channel, reduce_mean, reduce_sum
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormGrad, BatchNormTraining
from nncomp.types import DType

# Both bodies start from X - mean, which onnxruntime then computes once. Raw moments (Σ X², Σ X)
# would save that pass, but cancel where the mean is large beside the deviation.


def _affine_refuses(node: Node, target: Target) -> str | None:
    if operand(node, 0).type.dtype is not DType.F32:
        return "onnxruntime normalizes f32 only"
    return None


def _batch_norm(b: Builder, node: Node) -> Results:
    """Moments of the centred X; then onnxruntime's BatchNormalization as one scale-and-shift."""
    op = node.op
    assert isinstance(op, BatchNormTraining)
    x, scale, bias = (operand(node, i) for i in range(3))
    axes = other_axes(x.rank)
    mean = reduce_mean(b, x, axes)
    centered = b(Sub(), x, per_channel(b, mean, x.rank))
    var = reduce_mean(b, b(Mul(), centered, centered), axes)
    inv_std = b(Reciprocal(), b(Sqrt(), b(Add(), var, op.epsilon)))
    zeros = b(Mul(), mean, 0.0)
    if isinstance(channels := x.shape[1], int):
        zeros = b.constant(np.zeros(channels, np.float32))
    y = b(BatchNormalization(epsilon=op.epsilon), centered, scale, bias, zeros, var)
    return y, mean, var, inv_std


def _batch_norm_grad(b: Builder, node: Node) -> Results:
    """dX = slope · dY + (centred X · along + shift), the bracket by BatchNormalization with mean 0
    and variance 1: three passes over the tensor instead of four."""
    dy, x, scale, mean, inv_std = (operand(node, i) for i in range(5))
    axes = other_axes(x.rank)
    centered = b(Sub(), x, per_channel(b, mean, x.rank))
    total = reduce_sum(b, dy, axes)
    weighted = b(Mul(), reduce_sum(b, b(Mul(), dy, centered), axes), inv_std)
    slope = b(Mul(), scale, inv_std)
    share = b(Div(), slope, count(b, (x.shape[0], *x.shape[2:]), x.type.dtype))
    along = b(Mul(), b(Mul(), b(Mul(), share, inv_std), weighted), -1.0)
    shift = b(Mul(), b(Mul(), share, total), -1.0)
    channels = x.shape[1]
    assert isinstance(channels, int)
    zeros, ones = (b.constant(np.full(channels, v, np.float32)) for v in (0, 1))
    affine = b(BatchNormalization(epsilon=0.0), centered, along, shift, zeros, ones)
    dx = b(Add(), b(Mul(), dy, per_channel(b, slope, x.rank)), affine)
    return dx, weighted, total


def _known_channels(node: Node, target: Target) -> str | None:
    if not isinstance(operand(node, 1).shape[1], int):
        return "the number of channels is symbolic"
    return _affine_refuses(node, target)


def _training_refuses(node: Node, target: Target) -> str | None:
    assert isinstance(node.op, BatchNormalization)
    return None if node.op.training_mode else "onnxruntime's own kernel does it"


def _training_mode(b: Builder, node: Node) -> Results:
    """onnxruntime's kernel overwrites the statistics that it is given; this does not."""
    results: Results = node.op.decompose(b, *node.inputs)
    return results


BODIES = (
    Body("affine-kernel", BatchNormTraining, _affine_refuses, constant_cost(0.9), _batch_norm),
    Body("affine-kernel", BatchNormGrad, _known_channels, constant_cost(0.9), _batch_norm_grad),
    Body(
        "own-statistics", BatchNormalization, _training_refuses, constant_cost(1.0), _training_mode
    ),
)
