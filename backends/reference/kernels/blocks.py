"""Long formulas, elementwise: a block at a time, so that what lies between stays in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nncomp.backends.reference.kernels.windows import steps
from nncomp.backends.reference.threads import each, shares
from nncomp.types import Array

_ELEMENTS = 1 << 16  # more than fits into the smallest cache: threads that call NumPy for less wait
# for each other's turn at the interpreter
_PASSES = 16  # of a long formula over its block


def blockwise(function: Callable[[Array], Array], x: Array, out: Array | None = None) -> Array:
    """function(x), which maps each element by itself and may overwrite nothing of x.

    out: room of x's shape and dtype, used if its elements stand in order; may be x
    """
    result = out
    if result is None or not result.flags.c_contiguous:
        result = np.empty(x.shape, x.dtype)
    given, taken = np.ravel(x), result.reshape(-1)

    def some(share: slice) -> None:
        for part in steps(share, _ELEMENTS):
            taken[part] = function(given[part])

    each(some, shares(given.size, given.size * _PASSES))
    return result
