"""Per-channel affine maps in a graph: batch normalization, and arithmetic with constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Div, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Reciprocal, Sqrt
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.shape import Expand, Reshape
from nncomp.passes.eliminate_no_ops import same_type
from nncomp.passes.rewrite import Facts, Refused
from nncomp.types import DType

Make = Callable[[Builder], Value]


@dataclass(frozen=True)
class Affine:
    """y = (x - subtract) · multiply + add along axis 1, each a vector [C] or left out.

    node: whose operand x is and whose result y is
    The vectors are float32 at least: in float16 epsilon is nearly 0, and weights would be rounded
    several times.
    """

    node: Node
    x: Value
    subtract: Make | None = None
    multiply: Make | None = None
    add: Make | None = None

    @property
    def shifts(self) -> bool:
        """Whether it moves 0."""
        return self.subtract is not None or self.add is not None


def apply(b: Builder, affine: Affine, x: Value | None, factor: Value | None) -> Value | None:
    """The map applied to a vector [C], None being 0; `factor` is its `multiply`, built."""
    if affine.subtract is not None:
        moved = affine.subtract(b)
        x = b(Neg(), moved) if x is None else b(Sub(), x, moved)
    if factor is not None and x is not None:
        x = b(Mul(), x, factor)
    if affine.add is not None:
        x = affine.add(b) if x is None else b(Add(), x, affine.add(b))
    return x


def affine_of(node: Node, facts: Facts) -> Affine | Refused | None:
    """The per-channel map that the node is, with its vectors known before the run."""
    if isinstance(node.op, BatchNormalization):
        return _batch_norm(node, facts)
    if not isinstance(node.op, Add | Sub | Mul | Div):
        return None
    for place, (x, c) in enumerate((node.inputs, node.inputs[::-1])):
        if x is None or c is None or not facts.is_known(c) or facts.is_known(x):
            continue
        if not x.type.dtype.is_float or not same_type(x, node.outputs[0]) or x.rank < 2:
            return None
        make, swapped = _vector(c, x), place == 1
        if make is None:
            return None
        if isinstance(node.op, Div) and not swapped and not _is_invertible(c, wide_of(x), facts):
            return Refused("it divides by a number whose reciprocal is infinite")
        return _arithmetic(node, x, make, swapped=swapped)
    return None


def wide_of(x: Value) -> DType:
    """The dtype that new weights are computed in."""
    return DType.F64 if x.type.dtype is DType.F64 else DType.F32


def cast(b: Builder, value: Value, dtype: DType) -> Value:
    """The value in that dtype."""
    return value if value.type.dtype is dtype else b(Cast(dtype), value)


def moves_zero(affine: Affine, facts: Facts) -> bool:
    """Whether 0 does not stay 0 in some channel, as far as that can be told."""
    if not affine.shifts:
        return False
    shift = facts.computed(
        lambda b: apply(b, affine, None, affine.multiply(b) if affine.multiply else None)
    )
    return shift is None or bool(shift.any())


def _batch_norm(node: Node, facts: Facts) -> Affine | Refused:
    op = node.op
    assert isinstance(op, BatchNormalization)
    x, *vectors = (v for v in node.inputs if v is not None)
    if op.training_mode:
        return Refused("the statistics of the batch are computed at run time")
    if not all(facts.is_known(v) for v in vectors):
        return Refused("scale, shift, mean or variance is computed at run time")

    def wide(vector: Value) -> Make:
        return lambda b: cast(b, vector, wide_of(x))

    scale, shift, mean, variance = map(wide, vectors)

    def multiply(b: Builder) -> Value:
        return b(Div(), scale(b), b(Sqrt(), b(Add(), variance(b), op.epsilon)))

    return Affine(node, x, mean, multiply, shift)


def _arithmetic(node: Node, x: Value, vector: Make, *, swapped: bool) -> Affine | None:
    if isinstance(node.op, Add):
        return Affine(node, x, add=vector)
    if isinstance(node.op, Mul):
        return Affine(node, x, multiply=vector)
    if isinstance(node.op, Div):
        return None if swapped else Affine(node, x, multiply=lambda b: b(Reciprocal(), vector(b)))
    if not swapped:
        return Affine(node, x, subtract=vector)
    minus_one = np.full(x.type.with_shape(x.shape[1:2]).static_shape, -1, wide_of(x).numpy)
    return Affine(node, x, multiply=lambda b: b.constant(minus_one), add=vector)


def _is_invertible(c: Value, wide: DType, facts: Facts) -> bool:
    """Whether the reciprocals of c are finite in that dtype, as far as that can be told."""
    array = facts.computed(lambda b: c)
    if array is None:
        return True
    with np.errstate(divide="ignore", over="ignore"):
        return bool(np.isfinite(1 / array.astype(wide.numpy)).all())


def _vector(c: Value, x: Value) -> Make | None:
    """c as a vector [C] that broadcasts along axis 1 of x; None if it varies along another."""
    channels = x.shape[1]
    padded: Sequence[DimLike] = (1,) * (x.rank - c.rank) + c.shape
    if not isinstance(channels, int) or padded[1] not in (1, channels):
        return None
    if any(dim != 1 for axis, dim in enumerate(padded) if axis != 1):
        return None
    size = padded[1]

    def make(b: Builder) -> Value:
        vector = cast(b, c if c.rank == 1 else b(Reshape(), c, b.ints(-1)), wide_of(x))
        return vector if size == channels else b(Expand(), vector, b.ints(channels))

    return make
