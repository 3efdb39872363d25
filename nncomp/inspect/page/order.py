"""An order of nodes in which those of a block stand together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush


def blockwise(
    scopes: Sequence[str], sources: Sequence[Iterable[int]], hints: Sequence[float]
) -> list[int]:
    """All numbers, each after its sources, and as far as that allows those of one scope together.

    hints: which comes first where both may. What depends on nothing comes right before it is
    read. n log n in nodes and sources; where sources go round in a circle, the first by hint
    breaks it.
    """
    count = len(scopes)
    waiting = [0] * count
    readers: list[list[int]] = [[] for _ in range(count)]
    for number, given in enumerate(sources):
        for source in set(given) - {number}:
            waiting[number] += 1
            readers[source].append(number)
    rank = [0] * count
    by_hint = _by_hint(hints, waiting, readers)
    for place, number in enumerate(by_hint):
        rank[number] = place
    chains: dict[str, list[list[int]]] = {}  # of a scope, the heaps of all blocks around it
    heaps: dict[str, list[int]] = {"": []}  # of a block, its ranks that may come next
    for scope in scopes:
        if scope not in chains:
            chains[scope] = [heaps.setdefault(path, []) for path in _around(scope)]
    for number in range(count):
        if not waiting[number]:
            for heap in chains[scopes[number]]:
                heap.append(rank[number])
    for heap in heaps.values():
        heapify(heap)
    done = bytearray(count)  # by rank
    order: list[int] = []
    here = chains.get("", [heaps[""]])
    first = 0
    while len(order) < count:
        chosen = next((r for heap in here if (r := _top(heap, done)) >= 0), -1)
        if chosen < 0:
            while done[first]:
                first += 1
            chosen = first
        done[chosen] = 1
        number = by_hint[chosen]
        order.append(number)
        here = chains[scopes[number]]
        for reader in readers[number]:
            waiting[reader] -= 1
            if not waiting[reader] and not done[rank[reader]]:
                for heap in chains[scopes[reader]]:
                    heappush(heap, rank[reader])
    return order


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


def _top(heap: list[int], done: bytearray) -> int:
    """The first rank that is not done yet, -1 if there is none."""
    while heap and done[heap[0]]:
        heappop(heap)
    return heap[0] if heap else -1
