"""Which operators may be computed in float16, and why the others stay float32.

float16 has 11 bits of mantissa, its largest number is 65504, its smallest normal one 6e-5. So
products and what moves numbers or bends them a little lose nothing to speak of, while
exponentials overflow, long sums lose small addends, and statistics of normalisation do both.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from nncomp.dims import DimLike, product
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Node, Value
from nncomp.ops.products import PRODUCTS
from nncomp.ops.reduction import Reduction
from nncomp.types import DType

LARGEST = 65504.0
SMALLEST = 2.0**-14
"""The smallest normal number: below, digits are lost one by one."""
MOST_ADDED = 256
"""Numbers of which a sum or mean is computed in float16."""


class Role(Enum):
    """What a node is to the precision of a graph.

    HALF: computes in float16; FREE: in whichever its neighbours do; FULL: in float32
    NONE: no float32 goes through it
    """

    HALF = "half"
    FREE = "free"
    FULL = "full"
    NONE = "none"


SUMS = frozenset({"ReduceSum", "ReduceMean", "ReduceL1", "GlobalAveragePool"})

FREE = SUMS | {
    *("Add", "Sub", "Mul", "Div", "Neg", "Abs", "Max", "Min", "Sum", "Mean", "Where", "Clip"),
    *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "HardSigmoid"),
    *("HardSwish", "Sigmoid", "Tanh", "Softsign", "Gelu", "Swish", "Mish", "Erf", "Sqrt"),
    *("Sign", "Floor", "Ceil", "Round", "Identity", "StopGradient"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile", "Concat"),
    *("Split", "Slice", "Pad", "Gather", "GatherElements", "GatherND", "DepthToSpace"),
    *("SpaceToDepth", "Trilu", "Resize", "MaxPool", "AveragePool", "GlobalMaxPool"),
    *("ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "ConstantOfShape", "Cast"),
    *("LayerNormalization", "RMSNormalization"),
}
"""They lose no more than a rounding; layer norm computes its statistics in float32 by itself."""

_EXPONENTIALS = "exponentials overflow beyond 11, and are summed up"
_LOGARITHMS = "logarithms of numbers that float16 has as 0 are infinite"
_STATISTICS = "mean and variance of many numbers; a small variance is 0 in float16"
_RUNNING = "a running sum loses what is small beside it"
_STATE = "rounding adds up from step to step"
_SQUARES = "squares overflow beyond 255"
_COUNTING = "float16 has no whole numbers between 2048 and 2050"
_RANDOM = "random numbers are drawn in float32"
_LOSS = "a loss is a mean of logarithms"
_QUANTIZED = "scales between integers and floats"

KEPT: dict[str, str] = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Exp", "ReduceLogSumExp", "Softplus"), _EXPONENTIALS),
    **dict.fromkeys(("Attention", "LinearAttention", "Sinh", "Cosh"), _EXPONENTIALS),
    **dict.fromkeys(("Log", "ReduceLogSum"), _LOGARITHMS),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), _STATISTICS),
    **dict.fromkeys(("GroupNormalization", "LpNormalization", "LRN"), _STATISTICS),
    "MeanVarianceNormalization": _STATISTICS,
    **dict.fromkeys(("CumSum", "CumProd"), _RUNNING),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "Scan", "Loop", "CausalConvWithState"), _STATE),
    "If": "its branches are computed in float32",
    **dict.fromkeys(("Pow", "ReduceSumSquare", "ReduceL2", "LpPool", "GlobalLpPool"), _SQUARES),
    "ReduceProd": "a product of many numbers overflows, or is 0",
    "Reciprocal": "the reciprocal of a small number overflows",
    **dict.fromkeys(("Range", "OneHot"), _COUNTING),
    **dict.fromkeys(("Sin", "Cos", "Tan"), "an angle of 2048 and more has no fraction in float16"),
    **dict.fromkeys(("RandomNormal", "RandomUniform", "RandomNormalLike"), _RANDOM),
    **dict.fromkeys(("RandomUniformLike", "Random", "Bernoulli", "Multinomial"), _RANDOM),
    **dict.fromkeys(("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"), _LOSS),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"), _QUANTIZED),
    **dict.fromkeys(
        ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "TopK", "NonMaxSuppression"),
        "numbers that rounding makes equal compare otherwise",
    ),
}
"""Operators that stay float32, each with the reason."""


def role_of(node: Node, largest: float | None = None) -> tuple[Role, str]:
    """The node's role, and for FULL the reason.

    largest: the largest float32 number that it was seen to read or give
    """
    values = (*node.operands, *node.outputs)
    floating = {v.type.dtype for v in values if v.type.dtype.is_float}
    if isinstance(node.op, Constant) or DType.F32 not in floating:
        return Role.NONE, ""
    name = node.op.name
    reason = None
    if len(floating) > 1:
        reason = "it reads or gives several floating dtypes"
    elif name not in PRODUCTS and name not in FREE:
        reason = KEPT.get(name, "float16 is not known to do for it")
    reason = reason or _of_operands(node) or _of_range(largest)
    if reason is not None:
        return Role.FULL, reason
    return (Role.HALF if name in PRODUCTS else Role.FREE), ""


def _of_operands(node: Node) -> str | None:
    """A reason that lies in this node's operands."""
    for value in node.operands:
        reason = _of_constant(value)
        if reason is not None:
            return reason
    name = node.op.name
    if name == "Div" and not _is_constant(node.inputs[1]):
        return "a small divisor that is computed may be 0 in float16"
    if name == "Mul" and node.inputs[0] is node.inputs[1]:
        return _SQUARES
    if name == "Cast" and not _is_plain_cast(node):
        return _COUNTING
    if name in SUMS:
        count = _count(node)
        if not isinstance(count, int) or count > MOST_ADDED:
            return f"a sum of {count} numbers loses the small ones"
    return None


def _of_constant(value: Value) -> str | None:
    if not _is_constant(value) or value.type.dtype is not DType.F32:
        return None
    assert value.node is not None
    assert isinstance(value.node.op, Constant)
    sizes = np.abs(value.node.op.value.array)
    largest = float(sizes.max(initial=0.0, where=np.isfinite(sizes)))
    if largest > LARGEST:
        return f"its constant {largest:.3g} is beyond float16's 65504"
    if 0 < largest < SMALLEST:
        return f"its constant {largest:.3g} is too small for float16"
    return None


def _of_range(largest: float | None) -> str | None:
    if largest is None or largest <= LARGEST / 2:
        return None
    return f"it reads or gives {largest:.3g}, and float16 ends at 65504"


def _is_constant(value: Value | None) -> bool:
    return value is not None and value.node is not None and isinstance(value.node.op, Constant)


def _is_plain_cast(node: Node) -> bool:
    """Whether it gives 0 and 1 only."""
    assert node.inputs[0] is not None
    return node.inputs[0].type.dtype is DType.BOOL


def _count(node: Node) -> DimLike:
    """How many numbers each result is a sum of."""
    x = node.inputs[0]
    assert x is not None
    if not isinstance(node.op, Reduction):
        return product(x.shape[2:])
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    summed = node.op.axes(x.type, None if axes is None else axes.type)
    return product([x.shape[axis] for axis in summed])
