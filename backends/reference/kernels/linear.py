"""Matrix products, by BLAS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.elementwise import plain
from nncomp.backends.reference.kernels.precision import widened
from nncomp.backends.reference.kernels.products import product
from nncomp.ir.op import Op
from nncomp.ops.einsum import Einsum
from nncomp.ops.linear import Gemm, MatMul
from nncomp.types import Array


def gemm(op: Gemm, a: Array, b: Array, c: Array | None = None) -> Array:
    y = product(a.T if op.transA else a, b.T if op.transB else b)
    if op.alpha != 1:
        y = (y * op.alpha).astype(a.dtype, copy=False)
    if c is not None:
        y += c if op.beta == 1 else (c * op.beta).astype(a.dtype, copy=False)
    return np.asarray(y)


def einsum(op: Einsum, *operands: Array) -> Array:
    return np.asarray(np.einsum(op.equation, *operands, optimize=True))


KERNELS: dict[type[Op], Callable[..., Any]] = {
    MatMul: widened(plain(product)),
    Gemm: widened(gemm),
    Einsum: widened(einsum),
}
