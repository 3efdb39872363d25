"""Obligations: what a program asserts of its dims and only a run can tell.

They are decided from the shapes of the inputs, before the graph is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nncomp.dims import Dim, DimLike, Symbol, bounds, equal, substitute, symbols_in
from nncomp.errors import CompileError, error
from nncomp.source import Span

RELATIONS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left relation right`, of dims; the relation is one of RELATIONS."""

    left: DimLike
    relation: str
    right: DimLike

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"

    def decide(self) -> bool | None:
        """Whether it holds for all values of the symbols (True), for none (False), or for some."""
        left, right = self.left, self.right
        if self.relation in ("==", "!="):
            same = equal(left, right)
            return None if same is None else same is (self.relation == "==")
        low, high = bounds(left - right)
        match self.relation:
            case "<":
                return _known(high, low, lambda d: d < 0)
            case "<=":
                return _known(high, low, lambda d: d <= 0)
            case ">":
                return _known(low, high, lambda d: d > 0)
            case _:
                return _known(low, high, lambda d: d >= 0)

    def at(self, values: Mapping[Symbol, DimLike]) -> Comparison:
        """With symbols replaced. ZeroDivisionError where that divides by zero."""
        left, right = substitute(self.left, values), substitute(self.right, values)
        return Comparison(left, self.relation, right)

    def symbols(self) -> set[Symbol]:
        return symbols_in((self.left, self.right))


def _known(hardest: int | None, easiest: int | None, holds: Callable[[int], bool]) -> bool | None:
    if hardest is not None and holds(hardest):
        return True
    if easiest is not None and not holds(easiest):
        return False
    return None


Clause = tuple[Comparison, ...]


def compared(relation: str, left: Any, right: Any) -> bool | list[Clause] | None:
    """`left relation right` of dims, or `==` and `!=` of lists of dims: the answer, or the clauses
    on which it depends (all must hold, each by one of its comparisons). None where it is not
    about dims."""
    if _is_size(left) and _is_size(right):
        comparison = Comparison(left, relation, right)
        answer = comparison.decide()
        return [(comparison,)] if answer is None else answer
    lists = isinstance(left, (list, tuple)) and isinstance(right, (list, tuple))
    if relation not in ("==", "!=") or not lists:
        return None
    parts: list[Clause] = []
    for a, b in zip(left, right, strict=False):
        part = compared("==", a, b)
        if part is None or isinstance(part, bool):
            if not (a == b if part is None else part):
                return relation == "!="
        else:
            parts += part
    if len(left) != len(right):
        return relation == "!="
    if relation == "==" or not parts:
        return parts or relation == "=="
    return [tuple(Comparison(c.left, "!=", c.right) for (c,) in parts)]


def _is_size(value: Any) -> bool:
    return isinstance(value, (int, Dim)) and not isinstance(value, bool)


Message = tuple[str | Dim, ...]  # text in which sizes stand that a run tells


def spelt(message: Message, values: Mapping[Symbol, DimLike] | None = None) -> str:
    """The message as text, with the sizes that are known."""
    return "".join(p if isinstance(p, str) else _size(p, values or {}) for p in message)


@dataclass(frozen=True, slots=True)
class Obligation:
    """One of the comparisons must hold, or the run is refused.

    clause: at least one comparison
    message: what the program says is wrong otherwise; its dims have symbols of the clause only
    span: what states it
    """

    clause: Clause
    message: Message
    span: Span | None = None

    def __str__(self) -> str:
        return " or ".join(map(str, self.clause))

    def symbols(self) -> set[Symbol]:
        return {symbol for comparison in self.clause for symbol in comparison.symbols()}

    def require(self, values: Mapping[Symbol, DimLike]) -> None:
        """CompileError NN0209 unless it holds; `values` are the sizes of all of its symbols."""
        try:
            holds = any(c.at(values).decide() for c in self.clause)
        except ZeroDivisionError:
            holds = False
        if not holds:
            raise self._broken(values)

    def _broken(self, values: Mapping[Symbol, DimLike]) -> CompileError:
        terms = [term for c in self.clause for term in (c.left, c.right)]
        symbols = sorted(self.symbols(), key=lambda symbol: symbol.order)
        facts = {symbol.name: str(values[symbol]) for symbol in symbols}
        facts |= {str(t): _size(t, values) for t in terms if isinstance(t, Dim) and not t.symbol}
        told = [f"{what} is {size}" for what, size in facts.items()]
        listed = ", ".join(told[:-1]) + " and " * (len(told) > 1) + told[-1]
        return error(
            "NN0209",
            f"{spelt(self.message, values)}: {listed}",
            self.span,
            f"`{self}` does not hold for these inputs",
        )


def _size(dim: Dim, values: Mapping[Symbol, DimLike]) -> str:
    try:
        return str(substitute(dim, values))
    except ZeroDivisionError:
        return "a division by zero"
