"""How far apart two answers are, and how far they may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nncomp.types import Array, DType, tensors_of

Answers = Mapping[str, Array]  # a list of arrays for a sequence

ROUNDING = 1e-5
"""How far a pass of -O2 may move a float32 result, as a part of its largest number."""

STRICT = 1e-9
"""The same in float64, where rounding cannot hide a wrong formula."""

_COARSE = 8  # last places of float16 and bfloat16, which hold no 1e-5


@dataclass(frozen=True)
class Difference:
    """The largest over all outputs: which one, and how far as a part of its largest number;
    infinite where shapes or dtypes differ, or a NaN appears or disappears."""

    output: str
    size: float


SAME = Difference("", 0.0)


def difference(found: Answers, wanted: Answers, *, exact: bool = False) -> Difference:
    """How far the answers are apart. NaN is like NaN, and infinitely far from all else. Where the
    wanted ones are infinite, all but NaN will do: the same formula, rounded otherwise, may overflow
    a little later.

    exact: any other bit counts as infinitely far; NaNs are alike
    """
    worst = SAME
    found = tensors_of({name: found[name] for name in wanted if name in found})
    wanted = tensors_of(wanted)
    for name in found.keys() - wanted.keys():
        return Difference(name, float("inf"))  # a sequence that is longer
    for name, array in wanted.items():
        other = found.get(name)
        size = float("inf") if other is None else _apart(other, array, exact)
        if size > worst.size:
            worst = Difference(name, size)
    return worst


def _apart(found: Array, wanted: Array, exact: bool) -> float:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return float("inf")
    if wanted.dtype.kind in "iubO":
        return 0.0 if np.array_equal(found, wanted) else float("inf")
    if found.dtype.itemsize < 4:
        found, wanted = found.astype(np.float32), wanted.astype(np.float32)
    if exact:
        same = (found == wanted) & (np.signbit(found) == np.signbit(wanted))
        return 0.0 if bool(np.all(same | (np.isnan(found) & np.isnan(wanted)))) else float("inf")
    if not np.array_equal(np.isnan(found), np.isnan(wanted)):
        return float("inf")
    finite = np.isfinite(wanted)
    found, wanted = found[finite], wanted[finite]
    if not np.isfinite(found).all():
        return float("inf")
    largest = float(np.abs(wanted).max(initial=0.0))
    apart = float(np.abs(found - wanted).max(initial=0.0))
    return apart / largest if largest else apart


def nan_share(answers: Answers) -> dict[str, float]:
    """Which part of each output is NaN, so that no numbers can be compared there."""
    return {
        name: float(np.isnan(a.astype(np.float64) if a.itemsize < 4 else a).mean())
        for name, a in tensors_of(answers).items()
        if a.dtype.kind not in "iubO" and a.size
    }


def bound(answers: Answers) -> float:
    """How far a pass that may change rounding may move these answers."""
    arrays = tensors_of(answers).values()
    coarse = [a.dtype for a in arrays if a.dtype.kind not in "iubO" and a.itemsize < 4]
    return max([ROUNDING, *(_COARSE * _last_place(DType.of(np.empty(0, d))) for d in coarse)])


def _last_place(dtype: DType) -> float:
    return 2.0**-7 if dtype is DType.BF16 else 2.0**-10
