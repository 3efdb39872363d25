"""Casts, selection and bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.elementwise import into, plain
from nncomp.backends.reference.kernels.narrow import special_cast
from nncomp.ir.constant import Constant
from nncomp.ir.op import Op
from nncomp.ops import conversion as c
from nncomp.types import Array, DType


def cast(op: c.Cast, x: Array) -> Array:
    if op.to.is_special or DType.of(x).is_special:
        return special_cast(x, op.to, bool(op.saturate), op.round_mode)
    return x.astype(op.to.numpy, copy=False)


def bit_cast(op: c.BitCast, x: Array) -> Array:
    return np.ascontiguousarray(x).reshape(x.shape).view(op.to.numpy)


def bit_shift(op: c.BitShift, x: Array, y: Array) -> Array:
    far = (y < 0) | (y >= 8 * x.itemsize)
    amount = np.where(far, 0, y).astype(y.dtype)
    if op.direction == "LEFT":
        return np.where(far, 0, np.left_shift(x, amount)).astype(x.dtype)
    return np.where(far, -(x < 0).astype(np.int8), np.right_shift(x, amount)).astype(x.dtype)


def constant(op: Constant) -> Array:
    return op.value.array


KERNELS: dict[type[Op], Callable[..., Any]] = {
    Constant: constant,
    c.Identity: plain(lambda x: x),
    c.StopGradient: plain(lambda x: x),
    c.Cast: cast,
    c.BitCast: bit_cast,
    c.Where: plain(np.where),
    c.BitShift: bit_shift,
    c.BitwiseAnd: into(np.bitwise_and),
    c.BitwiseOr: into(np.bitwise_or),
    c.BitwiseXor: into(np.bitwise_xor),
    c.BitwiseNot: into(np.invert),
}
