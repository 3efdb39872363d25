"""Sizes of two models: which symbol of one is which of the other."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from itertools import islice, permutations

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.types import TensorType, is_container

_MOST_WAYS = 24  # to match the symbols of two formulas that are tried: all of 4


class Symbols:
    """What is known of the symbols of two models, from the inputs that they share.

    names: of the second model's symbols, those that are one of the first's
    """

    def __init__(self) -> None:
        self.names: dict[Symbol, DimLike] = {}
        self._taken: set[Symbol] = set()
        self._left: dict[Symbol, DimLike] = {}  # where the other side has a number
        self._right: dict[Symbol, DimLike] = {}

    def meet(self, pairs: Iterable[tuple[TensorType, TensorType]]) -> None:
        """The inputs of both: their symbols are the same ones. Where one side has a number, what
        follows is compared as though both had it. Sizes that are one symbol come first, then
        formulas, those of few symbols before others."""
        formulas: list[tuple[Dim, Dim]] = []
        for a, b in pairs:
            if a.rank != b.rank:
                continue
            for left, right in zip(a.shape, b.shape, strict=True):
                one, other = _lone(left), _lone(right)
                if one and other:
                    self._name(one, other)
                elif other and isinstance(left, int) and other not in self._right:
                    self._right[other] = left
                elif one and isinstance(right, int):
                    self._left.setdefault(one, right)
                elif isinstance(left, Dim) and isinstance(right, Dim):
                    formulas.append((left, right))
        for left, right in sorted(formulas, key=lambda pair: len(pair[0].symbols())):
            self._meet_formulas(left, right)

    def _meet_formulas(self, left: Dim, right: Dim) -> bool:
        """Whether two sizes are one formula, of symbols that are known, or are the same ones from
        here on; of two ways to match them, the one in the order of their names."""
        mine = sorted(left.symbols() - self._taken - self._left.keys(), key=_name_of)
        theirs = sorted(right.symbols() - self._right.keys(), key=_name_of)
        if len(mine) != len(theirs):
            return False
        wanted, known = self.left(left), self.right(right)
        for order in islice(permutations(mine), _MOST_WAYS):
            matched = dict(zip(theirs, order, strict=True))
            if _replaced(known, {other: one.dim for other, one in matched.items()}) == wanted:
                for other, one in matched.items():
                    self._name(one, other)
                return True
        return False

    def _name(self, one: Symbol, other: Symbol) -> bool:
        if other in self._right or one in self._taken:
            return self.names.get(other) == one.dim
        self._taken.add(one)
        self.names[other] = self._right[other] = one.dim
        return True

    def same(self, a: TensorType, b: TensorType) -> bool:
        """Whether two results have one type; symbols that only a run tells are the same from
        where they are first met."""
        if is_container(a) or is_container(b):
            return a.substitute(self._left) == b.substitute(self._right)
        if a.dtype is not b.dtype or a.rank != b.rank:
            return False
        return all(self._same(left, right) for left, right in zip(a.shape, b.shape, strict=True))

    def _same(self, left: DimLike, right: DimLike) -> bool:
        if self.left(left) == self.right(right):
            return True
        if not isinstance(left, Dim) or not isinstance(right, Dim):
            return False
        return self._meet_formulas(left, right)

    def same_as_stated(self, a: TensorType, b: TensorType) -> bool:
        """Whether two types are one but for the names of symbols."""
        return a == b.substitute(self.names)

    def left(self, dim: DimLike) -> DimLike:
        return _replaced(dim, self._left)

    def right(self, dim: DimLike) -> DimLike:
        """A size of the second model in symbols of the first, and numbers where that has them."""
        dim = _replaced(dim, self._right)
        return _replaced(dim, self._left)

    def left_key(self, dim: DimLike) -> Hashable | None:
        """The same as `right_key` of an equal size; None for what the inputs do not tell."""
        return self._key(self.left(dim))

    def right_key(self, dim: DimLike) -> Hashable | None:
        return self._key(self.right(dim))

    def _key(self, dim: DimLike) -> Hashable | None:
        return dim if isinstance(dim, int) or self._taken.issuperset(dim.symbols()) else None


def _replaced(dim: DimLike, values: Mapping[Symbol, DimLike]) -> DimLike:
    if isinstance(dim, int) or not values:
        return dim
    try:
        return substitute(dim, values)
    except ZeroDivisionError:
        return dim


def _lone(dim: DimLike) -> Symbol | None:
    return dim.symbol if isinstance(dim, Dim) else None


def _name_of(symbol: Symbol) -> str:
    return symbol.name
