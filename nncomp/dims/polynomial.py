"""Polynomials of sizes: symbols, functions of dims, sums and products of them, and their text.

A polynomial is a map from monomials to coefficients; a monomial is a sorted tuple of atoms (with
repetition); an atom is a `Symbol` or a function (`//`, `%`, min, max) of two dims.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Union

from nncomp.errors import error

DimLike = Union[int, "Dim"]
MAX_SIZE = 5_000  # parts of a formula
_serial = itertools.count()
# atoms sort by what they print as, then by the symbols themselves: two may have one name
Order = tuple[str, tuple[int, ...]]


class Symbol:
    """An unknown size. `minimum` is a lower bound that the runtime guarantees (sizes are ≥ 1),
    `maximum` an upper one, if there is any."""

    __slots__ = ("maximum", "minimum", "name", "serial")

    def __init__(self, name: str, minimum: int = 1, maximum: int | None = None) -> None:
        self.name = name
        self.minimum = minimum
        self.maximum = maximum
        self.serial = next(_serial)

    def __repr__(self) -> str:
        return self.name

    @property
    def dim(self) -> Dim:
        return Dim({(self,): 1})

    @property
    def order(self) -> Order:
        return (self.name, (self.serial,))


FunctionName = Literal["//", "%", "min", "max"]


@dataclass(frozen=True)
class Function:
    """`left // right`, `left % right`, `min(left, right)` or `max(left, right)`, irreducible."""

    name: FunctionName
    left: DimLike
    right: DimLike

    def __str__(self) -> str:
        if self.name in ("min", "max"):
            return f"{self.name}({self.left}, {self.right})"
        return f"{_bracketed(self.left)} {self.name} {_bracketed(self.right)}"

    @cached_property
    def size(self) -> int:
        return 1 + _size(self.left) + _size(self.right)

    @cached_property
    def order(self) -> Order:
        return ("~" + str(self), (*order(self.left)[1], *order(self.right)[1]))


Atom = Symbol | Function
Monomial = tuple[Atom, ...]


def new_dim(name: str, minimum: int = 1) -> Dim:
    """A fresh dim of that name, equal to no other."""
    return Symbol(name, minimum).dim


class Dim:
    """A polynomial that is not a constant. Immutable; equality and hash are of the normal form."""

    __slots__ = ("__dict__", "terms")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms = terms

    @cached_property
    def _key(self) -> frozenset[tuple[Monomial, int]]:
        return frozenset(self.terms.items())

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Dim) and self._key == other._key)

    def __hash__(self) -> int:
        return hash(self._key)

    def __add__(self, other: DimLike) -> DimLike:
        return _combine(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: DimLike) -> DimLike:
        return _combine(self, other, -1)

    def __rsub__(self, other: DimLike) -> DimLike:
        return _combine(other, self, -1)

    def __neg__(self) -> DimLike:
        return _combine(0, self, -1)

    def __mul__(self, other: DimLike) -> DimLike:
        if isinstance(other, int):
            if abs(other) >> 64 or any(abs(c) >> 64 for c in self.terms.values()):
                raise error("NN0005", "a number in the formula of a dim does not fit into 64 bits")
            return polynomial({m: c * other for m, c in self.terms.items()})
        require_small(self.size * other.size)
        product: dict[Monomial, int] = {}
        for (m1, c1), (m2, c2) in itertools.product(self.terms.items(), other.terms.items()):
            monomial = tuple(sorted(m1 + m2, key=lambda atom: atom.order))
            product[monomial] = product.get(monomial, 0) + c1 * c2
        return polynomial(product)

    __rmul__ = __mul__

    def __floordiv__(self, other: DimLike) -> DimLike:
        from nncomp.dims.functions import floordiv  # which builds on this module

        return floordiv(self, other)

    def __rfloordiv__(self, other: DimLike) -> DimLike:
        from nncomp.dims.functions import floordiv  # which builds on this module

        return floordiv(other, self)

    def __mod__(self, other: DimLike) -> DimLike:
        from nncomp.dims.functions import mod  # which builds on this module

        return mod(self, other)

    def __rmod__(self, other: DimLike) -> DimLike:
        from nncomp.dims.functions import mod  # which builds on this module

        return mod(other, self)

    @cached_property
    def size(self) -> int:
        """How long it is: its terms, and the symbols and functions in them."""
        return sum(1 + sum(a.size if isinstance(a, Function) else 1 for a in m) for m in self.terms)

    @property
    def symbol(self) -> Symbol | None:
        """The symbol that this dim is, if it is just one."""
        if len(self.terms) != 1:
            return None
        ((monomial, coefficient),) = self.terms.items()
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Symbol):
            return monomial[0]
        return None

    def symbols(self) -> set[Symbol]:
        """Every symbol in the dim, those inside functions too."""
        found: set[Symbol] = set()
        pending: list[DimLike] = [self]
        while pending:
            dim = pending.pop()
            if isinstance(dim, int):
                continue
            for atom in itertools.chain.from_iterable(dim.terms):
                if isinstance(atom, Symbol):
                    found.add(atom)
                else:
                    pending += (atom.left, atom.right)
        return found

    def __str__(self) -> str:
        parts: list[str] = []
        for monomial, coefficient in sorted(self.terms.items(), key=print_order):
            alone = coefficient == 1 or (coefficient == -1 and bool(parts))  # no sign or factor
            text = "*".join(
                str(a) if alone and len(monomial) == 1 else _bracketed_atom(a) for a in monomial
            )
            if not monomial:
                text = str(abs(coefficient))
            elif abs(coefficient) != 1:
                text = f"{abs(coefficient)}*{text}"
            sign = "-" if coefficient < 0 else "+"
            parts.append(f" {sign} {text}" if parts else text if coefficient > 0 else f"-{text}")
        return "".join(parts)

    __repr__ = __str__


def print_order(item: tuple[Monomial, int]) -> tuple[int, list[Order]]:
    return (-len(item[0]), [atom.order for atom in item[0]])


def order(dim: DimLike) -> Order:
    """A dim's place among others: its text, then its symbols in the order of the text."""
    if isinstance(dim, int):
        return (str(dim), ())
    terms = sorted(dim.terms.items(), key=print_order)
    return (str(dim), tuple(s for monomial, _ in terms for atom in monomial for s in atom.order[1]))


def _bracketed(dim: DimLike) -> str:
    return str(dim) if isinstance(dim, int) or dim.symbol else f"({dim})"


def _bracketed_atom(atom: Atom) -> str:
    return f"({atom})" if isinstance(atom, Function) and atom.name in ("//", "%") else str(atom)


def _terms(dim: DimLike) -> Mapping[Monomial, int]:
    if isinstance(dim, Dim):
        return dim.terms
    return {(): dim} if dim else {}


def polynomial(terms: dict[Monomial, int]) -> DimLike:
    terms = {m: c for m, c in terms.items() if c}
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    return Dim(terms)


def _combine(left: DimLike, right: DimLike, sign: int) -> DimLike:
    terms = dict(_terms(left))
    for monomial, coefficient in _terms(right).items():
        terms[monomial] = terms.get(monomial, 0) + sign * coefficient
    return polynomial(terms)


def _size(dim: DimLike) -> int:
    return dim.size if isinstance(dim, Dim) else 1


def require_small(size: int) -> None:
    """Formulas end somewhere: one that is squared again and again would fill the memory."""
    if size > MAX_SIZE:
        raise error("NN0005", f"the formula of a dim is too long: over {MAX_SIZE:,} parts")


def symbols_in(dims: Iterable[DimLike]) -> set[Symbol]:
    """Every symbol in any of the dims."""
    return {symbol for dim in dims if isinstance(dim, Dim) for symbol in dim.symbols()}


def product(dims: Iterable[DimLike]) -> DimLike:
    """The product of all dims; 1 for none."""
    result: DimLike = 1
    for dim in dims:
        result = result * dim
    return result
