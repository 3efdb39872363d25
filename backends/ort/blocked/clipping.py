"""Where a clipped tensor lies between its bounds, from the tensor alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.activation import HardSigmoid
from nncomp.ops.elementwise import Sub
from nncomp.ops.elementwise_math import Abs

_LARGEST = 1e38


class Bounds(NamedTuple):
    """Between two bounds lies what is less than `half` away from `middle`."""

    middle: float
    half: float


def bounds(low: float, high: float) -> Bounds | None:
    """None where they are not numbers apart from each other. In f32, as they are compared: what
    is clipped to a bound is `half` away or more."""
    if not -_LARGEST <= low < high <= _LARGEST:
        return None
    middle = np.float32(low / 2 + high / 2)
    half = np.abs(np.array([low, high], np.float32) - middle).min()
    return Bounds(float(middle), float(half)) if half > 0 else None


def inside(b: Builder, y: Value, within: Bounds, block: int) -> Value:
    """1 where blocked Y is between the bounds and on neither, else 0.

    The distance from the middle is one convolution, and a steep line through `half` the other
    pass; of Y and X there would be a comparison, whose bools onnxruntime turns into numbers
    slowly, and X to keep. Exact but for Y that are not told from a bound when the middle is
    subtracted, 1e-7 of the bounds. In a step of MobileNetV2 it was one of 25 million; rounding in
    the batch norm before it takes as many over a bound.
    """
    distance = b(Abs(), b(Sub(), y, within.middle))
    # a power of two, so that neither product is rounded
    slope = 2.0 ** (126 - math.frexp(within.half)[1])
    return b(HardSigmoid(alpha=-slope, beta=slope * within.half), distance)
