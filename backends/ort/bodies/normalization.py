"""Bodies of normalization.

Batch norm starts from X - mean in both directions, which onnxruntime then computes once. Raw
moments (Σ X², Σ X) would save that pass, but cancel where the mean is large beside the deviation.
"""

from __future__ import annotations

import math

from nncomp.backends.ort.bodies.body import Body, Results, Target, constant_cost, operand
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise import Mul
from nncomp.ops.forms import reshape
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormTraining
from nncomp.types import DType

_PIXELS = 256  # of a channel, from which a depthwise convolution is faster than Mul and Add


def _training_refuses(node: Node, target: Target) -> str | None:
    assert isinstance(node.op, BatchNormalization)
    return None if node.op.training_mode else "onnxruntime's own kernel does it"


def _training_mode(b: Builder, node: Node) -> Results:
    """onnxruntime's kernel overwrites the statistics that it is given; this does not."""
    results: Results = node.op.decompose(b, *node.inputs)
    return results


def _pointwise_refuses(node: Node, target: Target) -> str | None:
    x = operand(node, 0)
    if target.provider != "cpu":
        return "only the CPU runs a depthwise convolution faster than a product and a sum"
    if x.type.dtype is not DType.F32:
        return "onnxruntime convolves f32 only"
    sizes = [size for size in x.shape[1:] if isinstance(size, int)]
    if len(sizes) < x.rank - 1:
        return "channels or spatial sizes are symbolic"
    return None if math.prod(sizes[1:]) >= _PIXELS else "the channels have few pixels"


def _pointwise(b: Builder, node: Node) -> Results:
    """Slope and bias as a depthwise 1 × 1 convolution of X - mean: one pass instead of two, and
    onnxruntime's optimiser takes a Relu behind it into it (ratio to Mul, Add, Relu: 0.55)."""
    x, scale, bias = (operand(node, i) for i in range(3))
    assert isinstance(node.op, BatchNormTraining)
    centered, mean, var, inv_std = node.op.moments(b, x)
    channels = x.shape[1]
    assert isinstance(channels, int)
    weights = reshape(b, b(Mul(), scale, inv_std), channels, *(1,) * (x.rank - 1))
    return b(Conv(group=channels), centered, weights, bias), mean, var, inv_std


BODIES = (
    Body(
        "own-statistics",
        BatchNormalization,
        _training_refuses,
        constant_cost(1.0),
        _training_mode,
    ),
    Body(
        "depthwise-affine",
        BatchNormTraining,
        _pointwise_refuses,
        constant_cost(1.0),
        _pointwise,
    ),
)
