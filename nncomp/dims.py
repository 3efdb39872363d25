"""Symbolic dims: integer polynomials with floor division, modulo, min and max, in normal form.

A dim is a Python `int` or a `Dim`; arithmetic on dims gives an `int` wherever the answer is one,
so that `isinstance(d, int)` says whether a dim is known. Two dims compare as equal, unequal or
unknown (`equal`). A dim name is an object: two `Symbol`s of one name are two dims.

A polynomial is a map from monomials to coefficients; a monomial is a sorted tuple of atoms (with
repetition); an atom is a `Symbol` or a function (`//`, `%`, min, max) of two dims.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
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
    """An unknown size. `minimum` is a lower bound that the runtime guarantees (sizes are ≥ 1)."""

    __slots__ = ("minimum", "name", "serial")

    def __init__(self, name: str, minimum: int = 1) -> None:
        self.name = name
        self.minimum = minimum
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
        return ("~" + str(self), (*_order(self.left)[1], *_order(self.right)[1]))


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
            return _polynomial({m: c * other for m, c in self.terms.items()})
        _require_small(self.size * other.size)
        product: dict[Monomial, int] = {}
        for (m1, c1), (m2, c2) in itertools.product(self.terms.items(), other.terms.items()):
            monomial = tuple(sorted(m1 + m2, key=lambda atom: atom.order))
            product[monomial] = product.get(monomial, 0) + c1 * c2
        return _polynomial(product)

    __rmul__ = __mul__

    def __floordiv__(self, other: DimLike) -> DimLike:
        return floordiv(self, other)

    def __rfloordiv__(self, other: DimLike) -> DimLike:
        return floordiv(other, self)

    def __mod__(self, other: DimLike) -> DimLike:
        return mod(self, other)

    def __rmod__(self, other: DimLike) -> DimLike:
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
        for monomial, coefficient in sorted(self.terms.items(), key=_print_order):
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


def _print_order(item: tuple[Monomial, int]) -> tuple[int, list[Order]]:
    return (-len(item[0]), [atom.order for atom in item[0]])


def _order(dim: DimLike) -> Order:
    """A dim's place among others: its text, then its symbols in the order of the text."""
    if isinstance(dim, int):
        return (str(dim), ())
    terms = sorted(dim.terms.items(), key=_print_order)
    return (str(dim), tuple(s for monomial, _ in terms for atom in monomial for s in atom.order[1]))


def _bracketed(dim: DimLike) -> str:
    return str(dim) if isinstance(dim, int) or dim.symbol else f"({dim})"


def _bracketed_atom(atom: Atom) -> str:
    return f"({atom})" if isinstance(atom, Function) and atom.name in ("//", "%") else str(atom)


def _terms(dim: DimLike) -> Mapping[Monomial, int]:
    if isinstance(dim, Dim):
        return dim.terms
    return {(): dim} if dim else {}


def _polynomial(terms: dict[Monomial, int]) -> DimLike:
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
    return _polynomial(terms)


def _split(dim: Dim, divisor: int) -> tuple[DimLike, DimLike]:
    """quotient, rest with dim = quotient * divisor + rest; the rest has 0 ≤ coefficients < divisor
    for its constant, and only terms that the divisor does not divide."""
    quotient: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in dim.terms.items():
        if monomial == ():
            quotient[()], rest[()] = divmod(coefficient, divisor)
        elif coefficient % divisor == 0:
            quotient[monomial] = coefficient // divisor
        else:
            rest[monomial] = coefficient
    return _polynomial(quotient), _polynomial(rest)


def _exact_quotient(left: DimLike, right: DimLike) -> DimLike | None:
    """left / right where right is one monomial that divides every term of left."""
    if isinstance(left, int) or isinstance(right, int) or len(right.terms) != 1:
        return None
    ((divisor, by),) = right.terms.items()
    terms: dict[Monomial, int] = {}
    for monomial, coefficient in left.terms.items():
        rest = list(monomial)
        for atom in divisor:
            if atom not in rest:
                return None
            rest.remove(atom)
        if coefficient % by:
            return None
        terms[tuple(rest)] = coefficient // by
    return _polynomial(terms)


def floordiv(left: DimLike, right: DimLike) -> DimLike:
    """`left // right`, rounded towards minus infinity. ZeroDivisionError for a zero divisor."""
    if isinstance(right, int):
        if right == 0:
            raise ZeroDivisionError("a dim divided by zero")
        if isinstance(left, int):
            return left // right
        if right < 0:
            return floordiv(-left, -right)
        quotient, rest = _split(left, right)
        if isinstance(rest, int):  # 0 ≤ rest < right
            return quotient
        low, high = bounds(rest)
        if low is not None and high is not None and low // right == high // right:
            return quotient + low // right
        if _leads_with_minus(rest):  # -a // b = -((a + b - 1) // b): one form for both
            return quotient - floordiv(right - 1 - rest, right)
        inner = _lone_floordiv(rest)
        if inner is not None:  # (a // b + c) // d = (a + b*c) // (b*d)
            (numerator, divisor), offset = inner
            return quotient + floordiv(numerator + divisor * offset, divisor * right)
        return quotient + _function("//", rest, right)
    if left == right:
        return 1
    exact = _exact_quotient(left, right)
    if exact is not None:
        return exact
    if isinstance(left, int) and left == 0:
        return 0
    return _function("//", left, right)


def _leads_with_minus(dim: DimLike) -> bool:
    if isinstance(dim, int):
        return dim < 0
    terms = [item for item in dim.terms.items() if item[0]]
    return min(terms, key=_print_order)[1] < 0


def _lone_floordiv(dim: DimLike) -> tuple[tuple[DimLike, int], int] | None:
    """((a, b), c) if the dim is `a // b + c` with integers b > 0 and c."""
    if isinstance(dim, int):
        return None
    offset = dim.terms.get((), 0)
    rest = dim - offset
    if isinstance(rest, int) or len(rest.terms) != 1:
        return None
    ((monomial, coefficient),) = rest.terms.items()
    if coefficient != 1 or len(monomial) != 1:
        return None
    atom = monomial[0]
    if isinstance(atom, Function) and atom.name == "//" and isinstance(atom.right, int):
        return (atom.left, atom.right), offset
    return None


def mod(left: DimLike, right: DimLike) -> DimLike:
    """`left % right`, with the sign of the divisor as in Python. ZeroDivisionError for zero."""
    if right == 0:
        raise ZeroDivisionError("a dim divided by zero")
    if isinstance(left, int) and isinstance(right, int):
        return left % right
    if isinstance(right, int) and isinstance(left, Dim) and right > 0:
        _, rest = _split(left, right)
        if isinstance(rest, int):
            return rest
        low, high = bounds(rest)
        if low is not None and high is not None and low >= 0 and high < right:
            return rest
        return _function("%", rest, right)
    if left == 0 or left == right or _exact_quotient(left, right) is not None:
        return 0
    return _function("%", left, right)


def minimum(left: DimLike, right: DimLike) -> DimLike:
    return _extremum("min", left, right)


def maximum(left: DimLike, right: DimLike) -> DimLike:
    return _extremum("max", left, right)


def _extremum(name: Literal["min", "max"], left: DimLike, right: DimLike) -> DimLike:
    if _is_at_most(right, left):
        return right if name == "min" else left
    if _is_at_most(left, right):
        return left if name == "min" else right
    left, right = sorted((left, right), key=_order)
    return _function(name, left, right)


def _is_at_most(left: DimLike, right: DimLike) -> bool:
    """Whether left ≤ right is known; a // b ≤ a for a ≥ 0 and integers b > 0 among it."""
    high = bounds(left - right)[1]
    quotient = _lone_floordiv(left) if high is None else None
    if quotient is not None:
        (numerator, _), offset = quotient
        low = bounds(numerator)[0]
        if low is not None and low >= 0:
            high = bounds(numerator + offset - right)[1]
    return high is not None and high <= 0


def _function(name: FunctionName, left: DimLike, right: DimLike) -> DimLike:
    function = Function(name, left, right)
    _require_small(function.size)
    return Dim({(function,): 1})


def _size(dim: DimLike) -> int:
    return dim.size if isinstance(dim, Dim) else 1


def _require_small(size: int) -> None:
    """Formulas end somewhere: one that is squared again and again would fill the memory."""
    if size > MAX_SIZE:
        raise error("NN0005", f"the formula of a dim is too long: over {MAX_SIZE:,} parts")


def product(dims: Iterable[DimLike]) -> DimLike:
    """The product of all dims; 1 for none."""
    result: DimLike = 1
    for dim in dims:
        result = result * dim
    return result


Bounds = tuple[int | None, int | None]


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
        return atom.minimum, None
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
    if left is right or (type(left) is int and type(right) is int):
        return left == right
    difference = left - right
    if isinstance(difference, int):
        return difference == 0
    low, high = bounds(difference)
    if (low is not None and low > 0) or (high is not None and high < 0):
        return False
    return None


def substitute(dim: DimLike, values: Mapping[Symbol, DimLike]) -> DimLike:
    """The dim with symbols replaced; symbols without a value stay."""
    if isinstance(dim, int):
        return dim
    result: DimLike = 0
    for monomial, coefficient in dim.terms.items():
        term: DimLike = coefficient
        for atom in monomial:
            term = term * _substitute_atom(atom, values)
        result = result + term
    return result


def _substitute_atom(atom: Atom, values: Mapping[Symbol, DimLike]) -> DimLike:
    if isinstance(atom, Symbol):
        return values.get(atom, atom.dim)
    left, right = substitute(atom.left, values), substitute(atom.right, values)
    return {"//": floordiv, "%": mod, "min": minimum, "max": maximum}[atom.name](left, right)
