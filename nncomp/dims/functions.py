"""Floor division, modulo, min and max of dims, simplified as far as bounds allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from nncomp.dims.bounds import bounds
from nncomp.dims.polynomial import (
    Atom,
    Dim,
    DimLike,
    Function,
    FunctionName,
    Monomial,
    Symbol,
    order,
    polynomial,
    print_order,
    require_small,
)


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
    return polynomial(quotient), polynomial(rest)


def _exact_quotient(left: DimLike, right: DimLike) -> DimLike | None:
    """left / right where right is one monomial that divides every term of left, or the quotient
    is one."""
    if isinstance(left, int) or isinstance(right, int):
        return None
    if len(right.terms) > 1:
        return _single_quotient(left, right)
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
    return polynomial(terms)


def _single_quotient(left: Dim, right: Dim) -> DimLike | None:
    """left / right where that is one monomial: 512*N*T - 3072*N is 512 times N*T - 6*N."""
    if len(left.terms) != len(right.terms):
        return None
    divisor = polynomial(dict([next(term for term in right.terms.items() if term[0])]))
    for term in left.terms.items():
        found = _exact_quotient(polynomial(dict([term])), divisor)
        if found is not None and right * found == left:
            return found
    return None


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
    return min(terms, key=print_order)[1] < 0


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
    left, right = sorted((left, right), key=order)
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
    require_small(function.size)
    return Dim({(function,): 1})


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
