"""What a model must mean by its sizes.

`.nn` is strict: sizes that are not known to be equal are an error. A model from elsewhere was run
before it was written, so that what an operator needs is taken to hold: where `N` meets `M` they
are one size, where it meets 3 it is 3. Where a map that was halved and doubled again meets the one
before, sizes are multiples: both are equal for some other sizes too, which are given up for a model
that can be read.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from nncomp.dims import Dim, DimLike, Function, Symbol, bounds, substitute
from nncomp.dims.bounds import Pairs
from nncomp.ir.obligation import Comparison, Obligation

Assumption = tuple[Symbol, DimLike]
_LARGEST = 2**31  # sizes that are looked at
_MOST = 4096  # no network halves its input more than twelve times
_PART = re.compile(r"(.+)_over_([0-9]{1,9})")


def assumption(pairs: Pairs, fixed: Iterable[Symbol] = ()) -> Assumption | None:
    """The symbol, and what it is, so that the last two dims are equal; None if no symbol can be
    found from them.

    fixed: symbols that are rather kept
    """
    if not pairs:
        return None
    difference = pairs[-1][0] - pairs[-1][1]
    if not isinstance(difference, Dim):
        return None
    bounded = _bounded(difference)
    if bounded is not None:
        return bounded
    keep = set(fixed)
    for symbol in sorted(_alone(difference), key=lambda s: (s in keep, -s.serial)):
        factor = difference.terms[(symbol,)]
        rest = symbol.dim * factor - difference
        found = rest if factor == 1 else -rest if factor == -1 else _divided(rest, factor)
        if found is not None and (not isinstance(found, int) or found >= 1):
            return symbol, found
    return _multiple(difference) or _between(difference)


def obligations(symbols: Iterable[Symbol]) -> tuple[Obligation, ...]:
    """That the sizes of inputs are within the bounds that were assumed."""
    return tuple(
        Obligation(
            (Comparison(symbol.dim, relation, bound),),
            (f"the model takes sizes `{symbol}` {in_words(symbol)} only",),
        )
        for symbol in symbols
        for relation, bound in (("<=", symbol.maximum), (">=", symbol.minimum))
        if bound is not None and bound != 1
    )


def in_words(symbol: Symbol) -> str:
    """The bounds of a symbol: `from 4 to 7`."""
    low, high = symbol.minimum, symbol.maximum
    if high is None:
        return f"from {low} on"
    return f"at most {high}" if low <= 1 else f"from {low} to {high}"


def _multiple(difference: Dim) -> Assumption | None:
    """A symbol that is rounded, as the least multiple for which no rounding is left between."""
    for symbol, divisors in _rounded(difference).items():
        whole = math.lcm(*divisors)
        if whole > _MOST:
            continue
        for factor in (f for f in range(2, whole + 1) if whole % f == 0):
            size = Symbol(_part_name(symbol.name, factor), symbol.minimum).dim * factor
            if substitute(difference, {symbol: size}) == 0:
                return symbol, size
    return None


def _between(difference: Dim) -> Assumption | None:
    """The only symbol, with the bounds within which both dims are equal, as far as the difference
    grows or falls with it: `n // 4 == 1` from 4 to 7."""
    symbols = set(difference.symbols())
    if len(symbols) > 1:
        return None
    (symbol,) = symbols
    high = _LARGEST if symbol.maximum is None else min(symbol.maximum, _LARGEST)
    sizes = range(symbol.minimum, high + 1)
    if not sizes:
        return None
    try:
        sign = 1 if _at(difference, symbol, sizes[0]) <= _at(difference, symbol, high) else -1
        first = bisect_left(sizes, 0, key=lambda size: sign * _at(difference, symbol, size))
        behind = bisect_right(sizes, 0, key=lambda size: sign * _at(difference, symbol, size))
    except ZeroDivisionError:  # of a size that the symbol cannot have
        return None
    if first == behind:
        return None
    last = symbol.maximum if behind == len(sizes) else sizes[behind - 1]
    limited = Symbol(symbol.name, sizes[first], last).dim
    rest = substitute(difference, {symbol: limited})
    return (symbol, limited) if bounds(rest) == (0, 0) else None


def _at(dim: Dim, symbol: Symbol, size: int) -> int:
    """Its value where the only symbol has that size."""
    found = substitute(dim, {symbol: size})
    assert isinstance(found, int)
    return found


def _rounded(difference: Dim) -> dict[Symbol, list[int]]:
    """By what the dims of a symbol are divided."""
    found: dict[Symbol, list[int]] = {}
    pending: list[DimLike] = [difference]
    while pending:
        dim = pending.pop()
        atoms = [] if isinstance(dim, int) else [a for monomial in dim.terms for a in monomial]
        for atom in atoms:
            if isinstance(atom, Function):
                pending += [atom.left, atom.right]
                if atom.name == "//" and isinstance(atom.right, int):
                    for symbol in atom.left.symbols() if isinstance(atom.left, Dim) else ():
                        found.setdefault(symbol, []).append(atom.right)
    return found


def _part_name(name: str, factor: int) -> str:
    """`height_over_8` is `height` without the factor 8."""
    part = _PART.fullmatch(name)
    return f"{part[1]}_over_{int(part[2]) * factor}" if part else f"{name}_over_{factor}"


def _divided(rest: DimLike, factor: int) -> DimLike | None:
    """rest / factor, where it is a whole number."""
    return rest // factor if isinstance(rest, int) and rest % factor == 0 else None


def _alone(difference: Dim) -> Sequence[Symbol]:
    """The symbols that stand in one term only, alone."""
    counts: dict[Symbol, int] = {}
    for monomial in difference.terms:
        for symbol in Dim({monomial: 1}).symbols():
            counts[symbol] = counts.get(symbol, 0) + 1
    return [s for s, count in counts.items() if count == 1 and (s,) in difference.terms]


def _bounded(difference: Dim) -> Assumption | None:
    """A symbol with a bound, for which min(…) or max(…) is the side that makes both dims equal."""
    for monomial in difference.terms:
        for atom in monomial:
            if not isinstance(atom, Function) or atom.name not in ("min", "max"):
                continue
            for chosen, limit in ((atom.left, atom.right), (atom.right, atom.left)):
                found = _limited(atom.name, chosen, limit)
                if found is not None and _replaced(difference, atom, chosen) == 0:
                    return found
    return None


def _limited(name: str, chosen: DimLike, limit: DimLike) -> Assumption | None:
    """Bounds of a symbol, `symbol + k` and a number being compared, by which one is chosen."""
    dim, number = (chosen, limit) if isinstance(chosen, Dim) else (limit, chosen)
    if not isinstance(number, int) or not isinstance(dim, Dim):
        return None
    alone = _alone(dim)
    if len(alone) != 1 or dim.terms[(alone[0],)] != 1:
        return None
    symbol = alone[0]
    rest = dim - symbol.dim
    if not isinstance(rest, int):
        return None
    low, high = symbol.minimum, symbol.maximum
    if (name == "min") is (dim is chosen):
        high = number - rest if high is None else min(high, number - rest)
    else:
        low = max(low, number - rest)
    if high is not None and high < low:
        return None
    return symbol, Symbol(symbol.name, low, high).dim


def _replaced(difference: Dim, atom: Function, chosen: DimLike) -> DimLike:
    """The difference with a dim in place of a function."""
    total: DimLike = 0
    for monomial, coefficient in difference.terms.items():
        product: DimLike = coefficient
        for factor in monomial:
            product = product * (chosen if factor == atom else Dim({(factor,): 1}))
        total = total + product
    return total
