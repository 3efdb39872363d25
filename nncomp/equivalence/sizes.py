"""Sizes for symbolic dims: pairwise distinct, and such that the program's assertions hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph

Sizes = dict[Symbol, int]

_POOLS = (
    (2, 3, 5, 7, 4, 6, 9),
    (8, 10, 12, 15, 16, 11, 20),
    (32, 48, 40, 64, 36, 56, 72),
    (128, 96, 160, 224, 192, 256),
    (512, 384, 640, 1024),
)
_TRIES = 60  # of one pool


def symbols_of(graph: Graph) -> list[Symbol]:
    """The symbols in the types of inputs and parameters, in order."""
    values = [*graph.inputs, *(p.value for p in graph.parameters)]
    dims = [d for v in values for d in v.shape if isinstance(d, Dim)]
    return list(dict.fromkeys(s for d in dims for s in sorted(d.symbols(), key=lambda s: s.order)))


def candidates(graph: Graph, seed: int = 0) -> Iterator[Sizes]:
    """Assignments that fulfil the graph's obligations: small sizes before large ones, distinct
    ones before those that repeat; at last those with which something inside is empty, whose mean
    is no number. One empty assignment for a graph without symbols."""
    symbols = symbols_of(graph)
    if not symbols:
        yield {}
        return
    rng = np.random.default_rng(seed)
    seen: set[tuple[int, ...]] = set()
    inner = {d for node in graph.nodes for v in node.outputs for d in v.shape if isinstance(d, Dim)}
    emptying: list[Sizes] = []
    for repeats in (False, True):
        for pool in _POOLS:
            numbers = [*pool]
            while not repeats and len(numbers) < len(symbols):
                numbers.append(max(numbers) + 1)
            for attempt in range(_TRIES):
                order = numbers if not attempt and not repeats else rng.permutation(numbers)
                chosen = rng.choice(numbers, len(symbols)) if repeats else order
                found = tuple(int(n) for n in chosen[: len(symbols)])
                if found in seen:
                    continue
                seen.add(found)
                sizes = dict(zip(symbols, found, strict=True))
                if not _fits(graph, sizes):
                    continue
                if any(_size(dim, sizes) == 0 for dim in inner):
                    emptying.append(sizes)
                else:
                    yield sizes
    yield from emptying


def _size(dim: Dim, sizes: Sizes) -> DimLike:
    try:
        return substitute(dim, sizes)
    except ZeroDivisionError:
        return dim


def _fits(graph: Graph, sizes: Sizes) -> bool:
    for value in [*graph.inputs, *(p.value for p in graph.parameters)]:
        try:
            shape = [substitute(d, sizes) for d in value.shape]
        except ZeroDivisionError:
            return False
        if not all(isinstance(d, int) and d > 0 for d in shape):
            return False
    try:
        for obligation in graph.obligations:
            obligation.require(sizes)
    except CompileError:
        return False
    return True
