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


def blockwise(
    function: Callable[[Array, Array], object], x: Array, out: Array | None = None
) -> Array:
    """What `function` maps each element of x to by itself, in x's order in memory.

    function: writes results for its first operand, which is flat, into the second, which may be
        the first
    out: room of x's shape and dtype, used if its elements stand as x's do; may be x
    """
    result = np.empty_like(x) if out is None or out.strides != x.strides else out
    given, taken = x.ravel("K"), result.ravel("K")

    def some(share: slice) -> None:
        for part in steps(share, _ELEMENTS):
            function(given[part], taken[part])

    each(some, shares(given.size, given.size * _PASSES))
    return result
