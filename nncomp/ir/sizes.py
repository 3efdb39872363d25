"""Where the value of a symbol is read when a graph runs: from the shapes of its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nncomp.dims import Dim, Symbol
from nncomp.ir.graph import Value


@dataclass(frozen=True, slots=True)
class Source:
    """An axis of a value whose size is factor * symbol + offset."""

    value: Value
    axis: int
    factor: int
    offset: int


def sources(inputs: Iterable[Value]) -> dict[Symbol, Source]:
    """For each symbol that stands alone in a size of some input, where to read it: an axis of just
    that size if there is one."""
    found: dict[Symbol, Source] = {}
    for value in inputs:
        for axis, dim in enumerate(value.shape):
            form = linear(dim) if isinstance(dim, Dim) else None
            if form is None:
                continue
            symbol, factor, offset = form
            plain = factor == 1 and not offset
            if symbol not in found or (plain and not _is_plain(found[symbol])):
                found[symbol] = Source(value, axis, factor, offset)
    return found


def _is_plain(source: Source) -> bool:
    return source.factor == 1 and not source.offset


def linear(dim: Dim) -> tuple[Symbol, int, int] | None:
    """(s, factor, offset) for a dim that is factor * s + offset with a factor ≥ 1."""
    offset = dim.terms.get((), 0)
    terms = [(monomial, c) for monomial, c in dim.terms.items() if monomial]
    if len(terms) != 1:
        return None
    (monomial, factor) = terms[0]
    if len(monomial) != 1 or not isinstance(monomial[0], Symbol) or factor < 1:
        return None
    return monomial[0], factor, offset
