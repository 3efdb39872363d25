"""How large the numbers of a value can be, whatever numbers the inputs are."""

from __future__ import annotations

import math

import numpy as np

from nncomp.ir.graph import Value
from nncomp.ops.activation import Sigmoid, Softmax, Tanh
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.indexing import Gather
from nncomp.ops.shape import Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.ops.shape_slicing import Slice
from nncomp.passes.rewrite import Facts
from nncomp.types import DType

_MOVING = (Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze, Gather, Slice)
_DEEPEST = 16  # nodes that are looked at from a value up


def bound_of(value: Value | None, facts: Facts, depth: int = _DEEPEST) -> float:
    """A number that no element's magnitude exceeds, inf where none is found.

    Through constants, selections, casts of bool, sums, products, activations that are bounded
    themselves, and what moves elements about.
    """
    array = facts.constant(value)
    if array is not None:
        if array.dtype.kind not in "biuf":
            return math.inf
        found = float(np.abs(array.astype(np.float64)).max(initial=0))
        return math.inf if math.isnan(found) else found
    node = value.node if value is not None else None
    if node is None or not depth:
        return math.inf
    op, inputs = node.op, node.inputs

    def bound(place: int) -> float:
        return bound_of(inputs[place], facts, depth - 1)

    if isinstance(op, _MOVING):
        return bound(0)
    if isinstance(op, Sigmoid | Softmax | Tanh):
        return 1.0
    if isinstance(op, Where):
        return max(bound(1), bound(2))
    if isinstance(op, Cast):
        x = inputs[0]
        return 1.0 if x is not None and x.type.dtype is DType.BOOL else math.inf
    if isinstance(op, Add | Sub):
        return bound(0) + bound(1)
    if isinstance(op, Mul):
        first, second = bound(0), bound(1)
        return math.inf if math.inf in (first, second) else first * second
    return math.inf


def is_finite(value: Value, facts: Facts) -> bool:
    """Whether it is sure that no element is infinite or NaN."""
    dtype = value.type.dtype
    return dtype.is_float and bound_of(value, facts) <= dtype.limits[1]
