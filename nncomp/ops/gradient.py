"""Graph pieces that several gradient rules use."""

from __future__ import annotations

import numpy as np

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Data
from nncomp.ops.conversion import Cast
from nncomp.ops.filling import ConstantOfShape
from nncomp.types import DType


def zeros_like(b: Builder, value: Value) -> Value:
    """Zeros of the value's type."""
    zero = Data(np.zeros(1, value.type.dtype.numpy))
    return b(ConstantOfShape(zero), b.dims(value.shape))


def dim_as(b: Builder, dim: DimLike, dtype: DType) -> Value:
    """A dim as a tensor of that dtype that broadcasts with any other: rank 0, or `[1]`."""
    if isinstance(dim, int):
        return b.constant(dim, dtype)
    return b(Cast(dtype), b.dims((dim,)))
