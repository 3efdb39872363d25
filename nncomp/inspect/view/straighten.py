"""x coordinates for layered drawings: long vertical runs are straight, the rest as near as may be.

After Brandes and Köpf (2001): links between neighbouring layers are chosen so that no two cross
and each vertex has at most one upwards and one downwards; what they join is a *run* that moves as
one. Runs start half way between their leftmost and their rightmost places (which is feasible, as
the constraints are linear), then each in turn moves to where its other links are shortest.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nncomp.inspect.view.layers import Link, Vertex

SWEEPS = 24


@dataclass(eq=False)
class _Run:
    """Vertices that move as one. rights, lefts: neighbours, with the distance to be kept."""

    x: float = 0.0
    rights: list[tuple[_Run, float]] = field(default_factory=list)
    lefts: list[tuple[_Run, float]] = field(default_factory=list)
    links: list[tuple[_Run, float, float]] = field(default_factory=list)  # run, distance, weight


def set_x(rows: Sequence[Sequence[Vertex]], distance: Callable[[Vertex, Vertex], float]) -> None:
    """Sets each vertex' x: in row order, `distance` apart at least, from 0 on."""
    run_of, shift = _runs(rows)
    for row in rows:
        for left, right in pairwise(row):
            apart = distance(left, right) + shift[left] - shift[right]
            run_of[left].rights.append((run_of[right], apart))
            run_of[right].lefts.append((run_of[left], apart))
        for vertex in row:
            for link in vertex.below:
                a, b = run_of[link.top], run_of[link.bottom]
                if a is not b:
                    apart = shift[link.top] + link.top_dx - shift[link.bottom] - link.bottom_dx
                    a.links.append((b, -apart, link.weight))
                    b.links.append((a, apart, link.weight))
    order = _left_to_right(dict.fromkeys(run_of[v] for row in rows for v in row))
    _spread(order)
    for sweep in range(SWEEPS):
        for run in order if sweep % 2 == 0 else reversed(order):
            _settle(run)
    edge = min((run_of[v].x + shift[v] - v.width / 2 for row in rows for v in row), default=0.0)
    for row in rows:
        for vertex in row:
            vertex.x = run_of[vertex].x + shift[vertex] - edge


def _runs(rows: Sequence[Sequence[Vertex]]) -> tuple[dict[Vertex, _Run], dict[Vertex, float]]:
    """The run of each vertex, and where in it the vertex stands."""
    run_of: dict[Vertex, _Run] = {}
    shift: dict[Vertex, float] = {}
    for row in rows:
        joined = {link.bottom: link for link in _straight_links(row)}
        below = {link.bottom for vertex in row for link in vertex.below}
        for vertex in row:
            if vertex not in run_of:
                run_of[vertex], shift[vertex] = _Run(), 0.0
        for vertex in below:
            if vertex in joined:
                link = joined[vertex]
                run_of[vertex] = run_of[link.top]
                shift[vertex] = shift[link.top] + link.top_dx - link.bottom_dx
    return run_of, shift


def _straight_links(row: Sequence[Vertex]) -> list[Link]:
    """Links below a row that are drawn straight: heavy ones first, none across another."""
    links = [link for vertex in row for link in vertex.below]
    links.sort(key=lambda k: (-k.weight, _off_median(k), k.top.place, k.bottom.place))
    tops: set[Vertex] = set()
    bottoms: set[Vertex] = set()
    taken: list[tuple[int, int]] = []
    chosen = []
    for link in links:
        ends = link.top.place, link.bottom.place
        at = bisect_left(taken, ends)
        crosses = (at > 0 and taken[at - 1][1] >= ends[1]) or (
            at < len(taken) and taken[at][1] <= ends[1]
        )
        if link.top in tops or link.bottom in bottoms or crosses:
            continue
        tops.add(link.top)
        bottoms.add(link.bottom)
        insort(taken, ends)
        chosen.append(link)
    return chosen


def _off_median(link: Link) -> float:
    """How far a link is from the middle of all that leave or reach its ends."""
    above = sorted(k.top.place for k in link.bottom.above)
    below = sorted(k.bottom.place for k in link.top.below)
    return abs(above.index(link.top.place) - (len(above) - 1) / 2) + abs(
        below.index(link.bottom.place) - (len(below) - 1) / 2
    )


def _left_to_right(runs: Sequence[_Run] | dict[_Run, None]) -> list[_Run]:
    """The runs, each after those on its left."""
    missing = {run: len(run.lefts) for run in runs}
    order = [run for run in runs if not missing[run]]
    for run in order:
        for right, _ in run.rights:
            missing[right] -= 1
            if not missing[right]:
                order.append(right)
    return order


def _spread(order: Sequence[_Run]) -> None:
    for run in order:
        run.x = max((left.x + apart for left, apart in run.lefts), default=0.0)
    end = max((run.x for run in order), default=0.0)
    rightmost: dict[_Run, float] = {}
    for run in reversed(order):
        rightmost[run] = min((rightmost[r] - apart for r, apart in run.rights), default=end)
    for run in order:
        run.x = (run.x + rightmost[run]) / 2


def _settle(run: _Run) -> None:
    if not run.links:
        return
    weight = sum(w for _, _, w in run.links)
    wanted = sum(w * (other.x + apart) for other, apart, w in run.links) / weight
    low = max((left.x + apart for left, apart in run.lefts), default=wanted)
    high = min((right.x - apart for right, apart in run.rights), default=wanted)
    if low <= high:
        run.x = min(max(wanted, low), high)
