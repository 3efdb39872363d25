"""Short spellings for graphs of gradient rules and decompositions, on symbolic dims."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncomp.dims import DimLike, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Data
from nncomp.ops.conversion import Cast
from nncomp.ops.filling import ConstantOfShape, Range
from nncomp.ops.reduction import ReduceMean, ReduceSum
from nncomp.ops.shape import Reshape, Squeeze, Transpose
from nncomp.ops.shape_slicing import Slice
from nncomp.types import DType


def reshape(b: Builder, x: Value, *dims: DimLike) -> Value:
    """x as a tensor of these dims; x itself if it is one."""
    if x.shape == dims:
        return x
    return b(Reshape(), x, b.dims(dims))


def transpose(b: Builder, x: Value, *perm: int) -> Value:
    """x with its axes in this order."""
    return b(Transpose(perm=perm), x)


def swap_batch(b: Builder, x: Value) -> Value:
    """x with its first two axes swapped."""
    return transpose(b, x, 1, 0, *range(2, x.rank))


def reduce_sum(b: Builder, x: Value, axes: Sequence[int], *, keep: bool = False) -> Value:
    """The sum over these axes."""
    return b(ReduceSum(keepdims=int(keep)), x, b.ints(*axes))


def reduce_mean(b: Builder, x: Value, axes: Sequence[int], *, keep: bool = False) -> Value:
    """The mean over these axes."""
    return b(ReduceMean(keepdims=int(keep)), x, b.ints(*axes))


def window(
    b: Builder,
    x: Value,
    begins: Sequence[DimLike],
    sizes: Sequence[DimLike],
    axes: Sequence[int],
) -> Value:
    """The part of x that begins there and has those sizes, along these axes."""
    ends = [begin + size for begin, size in zip(begins, sizes, strict=True)]
    return b(Slice(), x, b.dims(begins), b.dims(ends), b.ints(*axes))


def per_channel(b: Builder, vector: Value, rank: int) -> Value:
    """A vector of one number a channel, shaped to broadcast along axis 1 of that rank."""
    return reshape(b, vector, vector.shape[0], *(1,) * (rank - 2))


def other_axes(rank: int) -> tuple[int, ...]:
    """All axes but the channels', axis 1."""
    return (0, *range(2, rank))


def scalar(b: Builder, dim: DimLike) -> Value:
    """A dim as an i64 of rank 0."""
    if isinstance(dim, int):
        return b.constant(dim, DType.I64)
    return b(Squeeze(), b.dims((dim,)), b.ints(0))


def arange(b: Builder, size: DimLike) -> Value:
    """0, 1, … of i64, as many as `size`."""
    return b(Range(), scalar(b, 0), scalar(b, size), scalar(b, 1))


def full(b: Builder, value: float, dtype: DType, dims: Sequence[DimLike]) -> Value:
    """A tensor of these dims with one number in every element."""
    return b(ConstantOfShape(Data(np.array([value], dtype.numpy))), b.dims(dims))


def count(b: Builder, dims: Sequence[DimLike], dtype: DType) -> Value:
    """The number of elements of these dims as a number that broadcasts: rank 0 or 1."""
    total = product(dims)
    if isinstance(total, int):
        return b.constant(float(total), dtype)
    return b(Cast(dtype), b.dims([total]))
