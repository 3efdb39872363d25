"""Half-precision operands are computed in float32 and rounded once, as runtimes do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from nncomp.types import Array

_HALF = 2  # bytes


def is_half(x: Array) -> bool:
    """float16 or bfloat16 (which NumPy takes for a kind of its own)."""
    return x.dtype.itemsize == _HALF and x.dtype.kind not in "iub"


def widened(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel with half-precision operands in float32 and its result rounded back.

    For kernels with one result of the dtype of the first operand; of several results those in
    float32 are rounded. Room for the result (`out`) goes to a kernel that computes in its dtype.
    """

    @wraps(kernel)
    def run(op: Any, x: Array, *rest: Array | None, **room: Array) -> Any:
        if not is_half(x):
            return kernel(op, x, *rest, **room)
        wide = [r.astype(np.float32) if r is not None and is_half(r) else r for r in (x, *rest)]
        result = kernel(op, *wide)
        if isinstance(result, tuple):
            return tuple(r.astype(x.dtype) if r.dtype == np.float32 else r for r in result)
        return np.asarray(result).astype(x.dtype)

    return run
