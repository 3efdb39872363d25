"""Long formulas, elementwise: a block at a time, so that what lies between stays in cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

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
    """What `function` maps each element of x to by itself; by columns where x stands so.

    function: writes results for its first operand, which is flat, into the second, which may be
        the first
    out: room of x's shape and dtype, used if its elements stand in that order; may be x
    """
    columns = x.flags.f_contiguous and not x.flags.c_contiguous
    order: Literal["C", "F"] = "F" if columns else "C"
    usable = out is not None and (out.flags.f_contiguous if columns else out.flags.c_contiguous)
    result = out if out is not None and usable else np.empty(x.shape, x.dtype, order)
    given, taken = x.ravel(order), result.ravel(order)

    def some(share: slice) -> None:
        for part in steps(share, _ELEMENTS):
            function(given[part], taken[part])

    each(some, shares(given.size, given.size * _PASSES))
    return result
