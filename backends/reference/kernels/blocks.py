"""Long formulas, elementwise: a block at a time, so that what lies between stays in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nncomp.types import Array

_ELEMENTS = 1 << 14


def blockwise(function: Callable[[Array], Array], x: Array, out: Array | None = None) -> Array:
    """function(x), which maps each element by itself and may overwrite nothing of x.

    out: room of x's shape and dtype, used if its elements stand in order; may be x
    """
    result = out
    if result is None or not result.flags.c_contiguous:
        result = np.empty(x.shape, x.dtype)
    given, taken = np.ravel(x), result.reshape(-1)
    for start in range(0, given.size, _ELEMENTS):
        part = slice(start, start + _ELEMENTS)
        taken[part] = function(given[part])
    return result
