"""What a data set must not hold: numbers that are not finite, classes that do not exist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nncomp.errors import CompileError, error
from nncomp.training.ranges import Range
from nncomp.types import Array, DType

_BLOCK = 1 << 22  # elements looked at in one go
_WHOLE = 2.0**53  # beyond, float64 does not tell whole numbers apart


def require_good(array: Array, name: str, place: Callable[[int], str], limit: Range | None) -> None:
    """The samples of an input along the first axis.

    place: where a sample stands, in words; limit: of integers
    Raises CompileError NN0501 that names the first bad sample.
    """
    if array.dtype.kind == "f":
        _require(array, np.isfinite, lambda found: _not_finite(found, name), place)
    elif limit is not None and array.dtype.kind in "iu":
        _require(
            array, lambda block: _within(block, limit), lambda n: _outside(n, name, limit), place
        )


def in_whole_numbers(array: Array, dtype: DType, name: str, place: Callable[[int], str]) -> Array:
    """Floats for an input of integers, as tables hold classes after a gap was filled: as integers
    where they are whole. Raises CompileError NN0501 that names the first sample that is not."""
    if not dtype.is_int or array.dtype.kind != "f":
        return array
    _require(array, lambda block: np.abs(block) < _WHOLE, lambda n: _not_whole(n, name), place)
    _require(array, lambda block: block == np.rint(block), lambda n: _not_whole(n, name), place)
    return array.astype(np.int64)


def _require(
    array: Array,
    good: Callable[[Array], Array],
    words: Callable[[object], tuple[str, str | None]],
    place: Callable[[int], str],
) -> None:
    rows = max(1, _BLOCK // max(1, array[:1].size))
    first, bad = -1, 0
    for start in range(0, len(array), rows):
        fine = good(array[start : start + rows])
        fine = np.all(fine.reshape(len(fine), -1), axis=1)
        if not fine.all():
            first = start + int(np.argmin(fine)) if first < 0 else first
            bad += int((~fine).sum())
    if bad:
        sample = array[first].reshape(-1)
        number = sample[int(np.argmin(good(array[first : first + 1]).reshape(-1)))]
        what, help = words(number)
        more = f" (and {bad - 1:,} more)" if bad > 1 else ""
        raise error("NN0501", f"{place(first)}: {what}{more}", help=help)


def _within(block: Array, limit: Range) -> Array:
    fine = (block >= limit.low) & (block < limit.high)
    return fine if limit.ignored is None else fine | (block == limit.ignored)


def _not_finite(number: object, name: str) -> tuple[str, str | None]:
    return f"{number} for the input `{name}`, which is not finite", None


def _not_whole(number: object, name: str) -> tuple[str, str | None]:
    return f"{number} for the input `{name}`, which takes whole numbers", None


def _outside(number: object, name: str, limit: Range) -> tuple[str, str | None]:
    help = "does the model have enough classes?" if limit.low == 0 else None
    return f"{number} for the input `{name}`, which takes {limit}", help


def in_batch(failure: CompileError, batch: int) -> CompileError:
    """The same for a batch of a stream, counted from 1."""
    first = failure.diagnostics[0]
    return error(first.code, f"batch {batch}: {first.message}", help=first.help)
