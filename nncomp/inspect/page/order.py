"""An order of nodes in which those of a block stand together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush


def blockwise(
    scopes: Sequence[str], sources: Sequence[Iterable[int]], hints: Sequence[float]
) -> list[int]:
    """All numbers, each after its sources, and as far as that allows those of one scope together.

    hints: which comes first where both may. What depends on nothing comes right before it is
    read. n log n in nodes and sources; where sources go round in a circle, the first by hint
    breaks it.
    """
    waiting, readers = _readers_of(sources)
    by_hint = _by_hint(hints, waiting, readers)
    rank = [0] * len(scopes)
    for place, number in enumerate(by_hint):
        rank[number] = place
    ready = _Ready(scopes)
    for number, sources_left in enumerate(waiting):
        if not sources_left:
            ready.add(rank[number], scopes[number])
    order: list[int] = []
    scope = ""
    while len(order) < len(scopes):
        number = by_hint[ready.take(scope)]
        order.append(number)
        scope = scopes[number]
        for reader in readers[number]:
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.add(rank[reader], scopes[reader])
    return order


def _readers_of(sources: Sequence[Iterable[int]]) -> tuple[list[int], list[list[int]]]:
    """Of each number how many others it reads, and which read it."""
    counts = [0] * len(sources)
    readers: list[list[int]] = [[] for _ in sources]
    for number, given in enumerate(sources):
        for source in set(given) - {number}:
            counts[number] += 1
            readers[source].append(number)
    return counts, readers


class _Ready:
    """Ranks that may come next, in a heap of each block around them."""

    def __init__(self, scopes: Sequence[str]) -> None:
        heaps: dict[str, list[int]] = {}
        self._around = {  # of a scope, the heaps of the blocks around it, the innermost first
            scope: [heaps.setdefault(path, []) for path in _around(scope)]
            for scope in ("", *scopes)
        }
        self._taken = bytearray(len(scopes))
        self._first = 0  # none below it is left

    def add(self, rank: int, scope: str) -> None:
        if not self._taken[rank]:
            for heap in self._around[scope]:
                heappush(heap, rank)

    def take(self, scope: str) -> int:
        """The first rank of the innermost block around the scope that has one; where none is ready,
        as sources go round in a circle, the first of all."""
        chosen = next((r for heap in self._around[scope] if (r := self._top(heap)) >= 0), -1)
        if chosen < 0:
            while self._taken[self._first]:
                self._first += 1
            chosen = self._first
        self._taken[chosen] = 1
        return chosen

    def _top(self, heap: list[int]) -> int:
        """The first rank that is not taken yet, -1 if there is none."""
        while heap and self._taken[heap[0]]:
            heappop(heap)
        return heap[0] if heap else -1


def _by_hint(
    hints: Sequence[float], waiting: Sequence[int], readers: Sequence[Sequence[int]]
) -> list[int]:
    """The numbers by their hints; those that depend on nothing by that of their first reader."""
    late = list(hints)
    order = sorted(range(len(hints)), key=hints.__getitem__)
    tied = list(waiting)  # sources that depend on something
    loose = [number for number in order if not waiting[number]]
    for number in loose:
        for reader in readers[number]:
            tied[reader] -= 1
            if not tied[reader]:
                loose.append(reader)
    for number in reversed(loose):
        first = min((late[reader] for reader in readers[number]), default=late[number])
        late[number] = max(late[number], first - 0.25)
    return sorted(order, key=late.__getitem__)


def _around(scope: str) -> list[str]:
    """The scope and the blocks around it, the innermost first: `a.b`, `a`, ``."""
    found = [scope] if scope else []
    while "." in scope:
        scope = scope.rpartition(".")[0]
        found.append(scope)
    return [*found, ""]
