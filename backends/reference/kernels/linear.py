"""Matrix products, by BLAS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.joining import Joined
from nncomp.backends.reference.kernels.activation import IN_PARTS
from nncomp.backends.reference.kernels.elementwise import plain
from nncomp.backends.reference.kernels.precision import widened
from nncomp.backends.reference.kernels.products import Finish, Place, product, rows_times
from nncomp.ir.op import Op
from nncomp.ops.einsum import Einsum
from nncomp.ops.elementwise import Add
from nncomp.ops.linear import Gemm, MatMul
from nncomp.types import Array


def gemm(op: Gemm, a: Array, b: Array, c: Array | None = None) -> Array:
    return joined(Joined(op, ()), a, b, c)


def joined(op: Joined, a: Array, b: Array, *others: Array | None) -> Array:
    given, first = list(others), op.product
    sums = [o for o in op.after if isinstance(o, Add)]
    finishes: list[Finish] = []
    if isinstance(first, Gemm):
        a, b = a.T if first.transA else a, b.T if first.transB else b
        if first.alpha != 1:
            finishes.append(_scaled(first.alpha))
        c = given.pop(0) if len(given) > len(sums) else None
        if c is not None:
            c = c if first.beta == 1 else (c * first.beta).astype(a.dtype, copy=False)
            finishes.append(_plus(c, (len(a), b.shape[1])))
    for follower in op.after:
        if isinstance(follower, Add):
            other = given.pop(0)
            assert other is not None
            finishes.append(_plus(other, (*a.shape[:-1], b.shape[1])))
        else:
            finishes.append(_mapped(follower))

    def finish(part: Array, place: Place) -> None:
        for each_finish in finishes:
            each_finish(part, place)

    return rows_times(a, b, finish if finishes else None)


def _scaled(factor: float) -> Finish:
    return lambda part, _: np.multiply(part, factor, out=part, casting="unsafe")


def _plus(summand: Array, shape: tuple[int, ...]) -> Finish:
    """Adds the part's place of what is broadcast to the result's shape."""
    matrix = np.broadcast_to(summand, shape).reshape(math.prod(shape[:-1]), shape[-1])
    return lambda part, place: np.add(part, matrix[place], out=part)


def _mapped(op: Op) -> Finish:
    return lambda part, _: IN_PARTS[type(op)](op, part, part)


def einsum(op: Einsum, *operands: Array) -> Array:
    return np.asarray(np.einsum(op.equation, *operands, optimize=True))


KERNELS: dict[type[Op], Callable[..., Any]] = {
    MatMul: widened(plain(product)),
    Gemm: widened(gemm),
    Joined: joined,
    Einsum: widened(einsum),
}
