"""Tensors made from sizes and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops.filling import ConstantOfShape, Range
from nncomp.types import Array


def constant_of_shape(op: ConstantOfShape, shape: Array) -> Array:
    if op.value is None:
        return np.zeros(shape, np.float32)
    value = op.value.array
    if not value.any():
        return np.zeros(shape, value.dtype)
    return np.full(shape, value.item(), value.dtype)


def arange(_op: Range, start: Array, limit: Array, delta: Array) -> Array:
    steps: Array = np.arange(start.item(), limit.item(), delta.item())
    return steps.astype(start.dtype)


KERNELS: dict[type[Op], Callable[..., Any]] = {ConstantOfShape: constant_of_shape, Range: arange}
