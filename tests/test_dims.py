"""Symbolic dims against integers, against sympy, and against what their bounds promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.dims import (
    Dim,
    DimLike,
    Symbol,
    bounds,
    equal,
    floordiv,
    maximum,
    minimum,
    mod,
    new_dim,
    product,
    substitute,
)

SYMBOLS = (Symbol("A"), Symbol("B"), Symbol("C", minimum=3))
Values = Mapping[Symbol, int]


@dataclass(frozen=True)
class Expression:
    """A dim beside what it means: a function of the symbols' values, and of sympy's symbols."""

    dim: DimLike
    value: Callable[[Values], int]
    exact: Callable[[Mapping[Symbol, Any]], Any]  # None in it where sympy is not asked
    polynomial: bool = True


def _leaf(number: int) -> Expression:
    return Expression(number, lambda _: number, lambda _: sympy.Integer(number))


def _symbol(symbol: Symbol) -> Expression:
    return Expression(symbol.dim, lambda v: v[symbol], lambda v: v[symbol])


def _binary(name: str, a: Expression, b: Expression) -> Expression:
    dim = {"+": a.dim + b.dim, "-": a.dim - b.dim, "*": a.dim * b.dim}.get(name)
    functions = {"min": (minimum, min), "max": (maximum, max)}
    if dim is None:
        symbolic, plain = functions[name]
        return Expression(
            symbolic(a.dim, b.dim), lambda v: plain(a.value(v), b.value(v)), a.exact, False
        )
    operate: dict[str, Callable[[Any, Any], Any]] = {
        "+": lambda x, y: x + y,
        "-": lambda x, y: x - y,
        "*": lambda x, y: x * y,
    }
    f = operate[name]
    return Expression(
        dim,
        lambda v: f(a.value(v), b.value(v)),
        lambda v: f(a.exact(v), b.exact(v)),
        a.polynomial and b.polynomial,
    )


def _divided(name: str, a: Expression, b: Expression) -> Expression:
    if name == "//":
        return Expression(
            floordiv(a.dim, b.dim), lambda v: a.value(v) // b.value(v), a.exact, False
        )
    return Expression(mod(a.dim, b.dim), lambda v: a.value(v) % b.value(v), a.exact, False)


_leaves = st.one_of(st.sampled_from(SYMBOLS).map(_symbol), st.integers(-6, 12).map(_leaf))
# sizes divide by sizes and by numbers: never by what may be 0
_divisors = st.one_of(
    st.sampled_from(SYMBOLS).map(_symbol),
    st.integers(-5, 8).filter(bool).map(_leaf),
    st.tuples(st.sampled_from(SYMBOLS).map(_symbol), st.integers(1, 4).map(_leaf)).map(
        lambda pair: _binary("*", *pair)
    ),
)


def _grow(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "min", "max"]), inner, inner).map(
            lambda t: _binary(*t)
        ),
        st.tuples(st.sampled_from(["//", "%"]), inner, _divisors).map(lambda t: _divided(*t)),
    )


expressions = st.recursive(_leaves, _grow, max_leaves=8)
polynomials = st.recursive(
    _leaves,
    lambda inner: st.tuples(st.sampled_from(["+", "-", "*"]), inner, inner).map(
        lambda t: _binary(*t)
    ),
    max_leaves=10,
)
values = st.fixed_dictionaries({s: st.integers(s.minimum, 40) for s in SYMBOLS})


@settings(max_examples=600)
@given(expressions, values)
def test_substituting_numbers_computes_the_expression(e: Expression, v: dict[Symbol, int]) -> None:
    assert substitute(e.dim, v) == e.value(v)


@settings(max_examples=400)
@given(expressions, values)
def test_substituting_one_at_a_time_is_the_same(e: Expression, v: dict[Symbol, int]) -> None:
    dim = e.dim
    for symbol, value in v.items():
        dim = substitute(dim, {symbol: value})
    assert dim == e.value(v)


@settings(max_examples=600)
@given(expressions, values)
def test_bounds_hold(e: Expression, v: dict[Symbol, int]) -> None:
    low, high = bounds(e.dim)
    assert low is None or low <= e.value(v)
    assert high is None or e.value(v) <= high


@settings(max_examples=400)
@given(expressions, expressions, values)
def test_equal_never_errs(a: Expression, b: Expression, v: dict[Symbol, int]) -> None:
    same = equal(a.dim, b.dim)
    if same is not None:
        assert same == (a.value(v) == b.value(v))
    assert equal(a.dim, a.dim) is True


@settings(max_examples=300)
@given(polynomials, polynomials)
def test_polynomials_are_equal_when_sympy_says_so(a: Expression, b: Expression) -> None:
    names = {s: sympy.Symbol(s.name) for s in SYMBOLS}
    same = sympy.expand(a.exact(names) - b.exact(names)) == 0
    assert (equal(a.dim, b.dim) is True) == same
    assert (a.dim == b.dim) == same
    if same:
        assert hash(a.dim) == hash(b.dim)
        assert str(a.dim) == str(b.dim)


@settings(max_examples=300)
@given(expressions)
def test_printing_reads_back(e: Expression) -> None:
    v = {s: s.minimum + 7 * i for i, s in enumerate(SYMBOLS)}
    names = {s.name: v[s] for s in SYMBOLS} | {"min": min, "max": max}
    assert eval(str(e.dim), {"__builtins__": {}}, names) == e.value(v)


N, M = new_dim("N"), new_dim("M")


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (N + 1, 1 + N, True),
        ((N + 1) * (N - 1), N * N - 1, True),
        (N * 8 // 8, N, True),
        (N * M // N, M, True),
        ((N * 8 + 6) // 8, N, True),
        ((N * 8 + 6) % 8, 6, True),
        (N // 2 // 3, N // 6, True),
        ((N // 2 + 1) // 3, (N + 2) // 6, True),
        (minimum(N, 1), 1, True),
        (maximum(N, 0), N, True),
        (minimum(N, N + M), N, True),
        (minimum(N, N // 2), N // 2, True),
        (maximum(N + 3, (N + 3) // 2 - 1), N + 3, True),
        (minimum(N, M), minimum(M, N), True),
        (N % N, 0, True),
        (0 % N, 0, True),
        (0 // N, 0, True),
        (N, N + 1, False),
        (N, 0, False),
        (N + M, 1, False),
        (2 * N, 2 * N + 1, False),
        (N, M, None),
        (N, 1, None),
        (2 * N, 6, None),
    ],
    ids=str,
)
def test_comparisons(left: DimLike, right: DimLike, expected: bool | None) -> None:
    assert equal(left, right) is expected


def test_dims_of_one_name_are_two() -> None:
    other = new_dim("N")
    assert equal(N, other) is None
    assert minimum(N, other) == minimum(other, N)
    assert (N // 2) * (other // 2) == (other // 2) * (N // 2)
    assert maximum(N // 2, other // 2) == maximum(other // 2, N // 2)


def test_known_dims_are_integers() -> None:
    assert (N - N) == 0
    assert type(N - N) is int
    assert type((N + 3) - N) is int
    assert isinstance(N + M, Dim)
    assert product([2, 3, 5]) == 30
    assert product([]) == 1


def test_division_by_zero_is_python_s() -> None:
    with pytest.raises(ZeroDivisionError):
        floordiv(N, 0)
    with pytest.raises(ZeroDivisionError):
        mod(N, 0)
    with pytest.raises(ZeroDivisionError):
        substitute(floordiv(6, N - M), dict.fromkeys((*N.symbols(), *M.symbols()), 3))


def test_bounds_of_floor_divisions() -> None:
    """Division is known to within its remainder: (d + 1) // 2 - d // 2 is 0 or 1."""
    d, e = new_dim("d"), new_dim("e")
    assert bounds((d + 1) // 2 - d // 2) == (0, 1)
    assert bounds(d // 2 + d // 3 - d)[1] == -1
    assert bounds(6 * (d // 3) - 2 * d) == (-4, 0)
    assert bounds((d // 2) * e) == (0, None)
    assert (-d) // 2 + (d + 1) // 2 == 0
    assert (e - d) // 3 == -((d - e + 2) // 3)


def test_quotients_that_are_one_term() -> None:
    T = new_dim("T")
    assert floordiv(512 * N * T - 3072 * N, N * T - 6 * N) == 512
    assert floordiv(N * N * T - 6 * N * N, N * T - 6 * N) == N
    assert floordiv(2 * N + 4, N + 2) == 2
    assert isinstance(floordiv(2 * N + 5, N + 2), Dim)
    assert isinstance(floordiv(N * T - 6 * N, 2 * N * T - 12 * N), Dim)
