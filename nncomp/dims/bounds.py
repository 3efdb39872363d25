"""Between which numbers a dim lies, and so whether two dims are equal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from nncomp.dims.polynomial import Atom, Dim, DimLike, Function, Monomial, Symbol

Bounds = tuple[int | None, int | None]
Pairs = list[tuple[DimLike, DimLike]]

_undecided: ContextVar[Pairs | None] = ContextVar("undecided", default=None)


@contextmanager
def undecided() -> Iterator[Pairs]:
    """`with`: the dims of which `equal` could not tell inside, in order."""
    pairs: Pairs = []
    token = _undecided.set(pairs)
    try:
        yield pairs
    finally:
        _undecided.reset(token)


def bounds(dim: DimLike) -> Bounds:
    """Lower and upper bound that hold for every value of the symbols; None if there is none."""
    if isinstance(dim, int):
        return dim, dim
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in dim.terms.items():
        term: Bounds = (coefficient, coefficient)
        for atom in monomial:
            term = _times(term, _atom_bounds(atom))
        low = None if low is None or term[0] is None else low + term[0]
        high = None if high is None or term[1] is None else high + term[1]
    whole, scale, less, more = _undivided(dim)
    if scale == 1:
        return low, high
    least, most = bounds(whole)
    lows = [low, None if least is None else -((less - least) // scale)]
    highs = [high, None if most is None else (most + more) // scale]
    return (
        max((end for end in lows if end is not None), default=None),
        min((end for end in highs if end is not None), default=None),
    )


def _undivided(dim: Dim) -> tuple[DimLike, int, int, int]:
    """whole, scale, less, more with whole - less ≤ dim · scale ≤ whole + more, where `whole` has
    x · scale / k in place of each scale · (x // k)."""
    scale = math.lcm(*(_divisor(monomial) for monomial in dim.terms))
    if scale == 1:
        return dim, 1, 0, 0
    whole: DimLike = 0
    less = more = 0
    for monomial, coefficient in dim.terms.items():
        divisor = _divisor(monomial)
        if divisor == 1:
            whole = whole + Dim({monomial: coefficient}) * scale
            continue
        (division,) = monomial
        assert isinstance(division, Function)
        share = coefficient * (scale // divisor)
        whole = whole + division.left * share
        slack = share * (divisor - 1)
        less, more = less + max(slack, 0), more + max(-slack, 0)
    return whole, scale, less, more


def _divisor(monomial: Monomial) -> int:
    """k where the monomial is `x // k` alone, else 1."""
    if len(monomial) != 1 or not isinstance(monomial[0], Function) or monomial[0].name != "//":
        return 1
    right = monomial[0].right
    return right if isinstance(right, int) and right > 0 else 1


def _times(a: Bounds, b: Bounds) -> Bounds:
    if b[0] is None or b[0] < 0:  # a factor that may be negative: known only if all ends are
        if None in a or None in b:
            return None, None
        ends = [x * y for x in a for y in b if x is not None and y is not None]
        return min(ends), max(ends)
    # 0 ≤ b: each end of a product stands at an end of both
    low = None if a[0] is None else a[0] * b[0] if a[0] >= 0 else _end(a[0], b[1])
    high = None if a[1] is None else a[1] * b[0] if a[1] < 0 else _end(a[1], b[1])
    return low, high


def _end(x: int, y: int | None) -> int | None:
    return 0 if x == 0 else None if y is None else x * y


def _atom_bounds(atom: Atom) -> Bounds:
    if isinstance(atom, Symbol):
        return atom.minimum, atom.maximum
    left, right = bounds(atom.left), bounds(atom.right)
    if atom.name == "%":
        if (right[0] or 0) <= 0:
            return None, None
        return 0, None if right[1] is None else right[1] - 1
    if atom.name == "//":
        if isinstance(atom.right, int) and atom.right > 0:
            low, high = (None if end is None else end // atom.right for end in left)
            return low, high
        natural = left[0] is not None and left[0] >= 0 and (right[0] or 0) > 0
        return (0, left[1]) if natural else (None, None)
    pick: Callable[[int, int], int] = min if atom.name == "min" else max
    low, high = (
        None if a is None or b is None else pick(a, b) for a, b in zip(left, right, strict=True)
    )
    if atom.name == "min" and high is None:
        high = left[1] if right[1] is None else right[1]
    if atom.name == "max" and low is None:
        low = left[0] if right[0] is None else right[0]
    return low, high


def equal(left: DimLike, right: DimLike) -> bool | None:
    """True if the dims are equal for all values of their symbols, False if for none, else None."""
    if left is right or left == right:
        return True
    if type(left) is int and type(right) is int:
        return False
    difference = left - right
    if isinstance(difference, int):
        return difference == 0
    low, high = bounds(difference)
    if (low is not None and low > 0) or (high is not None and high < 0):
        return False
    pairs = _undecided.get()
    if pairs is not None:
        pairs.append((left, right))
    return None


def equal_shapes(left: Sequence[DimLike], right: Sequence[DimLike]) -> bool:
    """Whether two shapes are known to be equal: of one rank, with all dims equal."""
    return len(left) == len(right) and all(
        equal(a, b) is True for a, b in zip(left, right, strict=True)
    )
