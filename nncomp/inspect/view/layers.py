"""Layered drawing of an acyclic graph, after Sugiyama, Tagawa and Toda (1981).

Boxes are put on layers by longest path, edges over several layers get a bend on each, layers are
ordered by barycentres, and x coordinates are chosen so that chains come out straight. The cost is
linear in boxes and bends (but for sorting), for a fixed number of sweeps.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nncomp.inspect.view.straighten import set_x

BOX_GAP = 26.0  # between boxes side by side
BEND_GAP = 16.0  # between lines side by side
GAP = 24.0  # between layers
LABEL_GAP = 36.0  # between layers where an edge has a label
SWEEPS = 12


@dataclass(eq=False)
class Vertex:
    """A box, a port on the border (no size), or a bend of an edge (`is_bend`).

    pin: keeps a port on the first or last layer
    x, y: its centre, and its upper edge; set by `arrange`
    """

    width: float = 0.0
    height: float = 0.0
    pin: Literal["top", "bottom"] | None = None
    is_bend: bool = False
    layer: int = 0
    place: int = 0
    x: float = 0.0
    y: float = 0.0
    above: list[Link] = field(default_factory=list)
    below: list[Link] = field(default_factory=list)


@dataclass(eq=False)
class Edge:
    """From the lower edge of a box to the upper edge of another.

    key: edges of one source and key share their bends (they carry the same value)
    source_dx, target_dx: where it is fixed to each, from the centre
    labelled: whether room is kept below the source
    bends: set by `arrange`
    """

    source: Vertex
    target: Vertex
    key: object
    source_dx: float = 0.0
    target_dx: float = 0.0
    labelled: bool = False
    bends: list[Vertex] = field(default_factory=list)


@dataclass(eq=False)
class Link:
    """A piece of an edge between neighbouring layers."""

    top: Vertex
    bottom: Vertex
    top_dx: float
    bottom_dx: float
    weight: float


@dataclass
class Layers:
    """A finished drawing. tops, bottoms: y of each layer's extent."""

    rows: list[list[Vertex]]
    tops: list[float]
    bottoms: list[float]
    width: float
    height: float


def arrange(vertices: Sequence[Vertex], edges: Sequence[Edge]) -> Layers:
    """Places the vertices (given in topological order) and bends the edges. Deterministic."""
    for vertex in vertices:
        vertex.layer, vertex.above, vertex.below = 0, [], []
    for edge in edges:
        edge.bends = []
    rows = _assign_layers(vertices, edges)
    _bend(rows, edges)
    for row in rows:
        for place, vertex in enumerate(row):
            vertex.place = place
    _order(rows)
    set_x(rows, _distance)
    return _set_y(rows, edges)


def _assign_layers(vertices: Sequence[Vertex], edges: Sequence[Edge]) -> list[list[Vertex]]:
    below: dict[Vertex, list[Vertex]] = {v: [] for v in vertices}
    entered: set[Vertex] = set()
    for edge in edges:
        below[edge.source].append(edge.target)
        entered.add(edge.target)
    any_top = any(v.pin == "top" for v in vertices)
    for vertex in vertices:
        vertex.layer = 0 if vertex.pin == "top" else max(vertex.layer, int(any_top))
        for target in below[vertex]:
            target.layer = max(target.layer, vertex.layer + 1)
    for vertex in reversed(vertices):  # what nothing enters stands right above where it is read
        if vertex not in entered and vertex.pin is None and below[vertex]:
            vertex.layer = min(t.layer for t in below[vertex]) - 1
    bottoms = [v for v in vertices if v.pin == "bottom"]
    last = max((v.layer for v in vertices if v.pin != "bottom"), default=-1)
    for vertex in bottoms:
        vertex.layer = last + 1
    count = 1 + max((v.layer for v in vertices), default=-1)
    rows: list[list[Vertex]] = [[] for _ in range(count)]
    for vertex in vertices:
        rows[vertex.layer].append(vertex)
    return rows


def _bend(rows: list[list[Vertex]], edges: Sequence[Edge]) -> None:
    shared: dict[tuple[int, object, int], Vertex] = {}
    linked: set[tuple[int, int]] = set()
    for edge in edges:
        last, dx = edge.source, edge.source_dx
        for layer in range(edge.source.layer + 1, edge.target.layer):
            key = (id(edge.source), edge.key, layer)
            if key not in shared:
                shared[key] = Vertex(is_bend=True, layer=layer)
                rows[layer].append(shared[key])
            bend = shared[key]
            edge.bends.append(bend)
            if (id(last), id(bend)) not in linked:
                linked.add((id(last), id(bend)))
                _link(last, bend, dx, 0.0)
            last, dx = bend, 0.0
        _link(last, edge.target, dx, edge.target_dx)


def _link(top: Vertex, bottom: Vertex, top_dx: float, bottom_dx: float) -> None:
    bends = top.is_bend + bottom.is_bend
    link = Link(top, bottom, top_dx, bottom_dx, (4.0, 1.0, 8.0)[bends])
    top.below.append(link)
    bottom.above.append(link)


def _order(rows: list[list[Vertex]]) -> None:
    """Sweeps down and up by barycentres; the order with the fewest crossings wins."""
    best, best_crossings = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS):
        if not best_crossings:
            break
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            centres = {
                v: _mean([_place(link, down) for link in (v.above if down else v.below)], v.place)
                for v in row
            }
            row.sort(key=lambda v: (centres[v], v.place))
            for place, vertex in enumerate(row):
                vertex.place = place
        crossings = _crossings(rows)
        if crossings < best_crossings:
            best, best_crossings = [list(row) for row in rows], crossings
    for row, chosen in zip(rows, best, strict=True):
        row[:] = chosen
        for place, vertex in enumerate(row):
            vertex.place = place


def _place(link: Link, down: bool) -> float:
    """Where a link is fixed to the row that is in place already; ports of one box differ."""
    vertex, dx = (link.top, link.top_dx) if down else (link.bottom, link.bottom_dx)
    return vertex.place + dx / (2 * vertex.width + 1)


def _mean(numbers: Sequence[float], default: float) -> float:
    return sum(numbers) / len(numbers) if numbers else default


def _crossings(rows: list[list[Vertex]]) -> int:
    total = 0
    for row in rows:
        ends: list[tuple[float, float]] = []
        for vertex in row:
            ends += (
                (vertex.place + link.top_dx / (2 * vertex.width + 1), _place(link, False))
                for link in vertex.below
            )
        ends.sort()
        seen: list[float] = []
        for _, bottom in ends:
            total += len(seen) - bisect_left(seen, bottom + 1e-9)
            insort(seen, bottom)
    return total


def _distance(left: Vertex, right: Vertex) -> float:
    gap = BEND_GAP if left.width == 0 and right.width == 0 else BOX_GAP
    return (left.width + right.width) / 2 + gap


def _set_y(rows: list[list[Vertex]], edges: Sequence[Edge]) -> Layers:
    labelled = {edge.source for edge in edges if edge.labelled}
    tops: list[float] = []
    bottoms: list[float] = []
    y = 0.0
    for row in rows:
        height = max(v.height for v in row) if row else 0.0
        for vertex in row:
            # single lines are as high as their layer; boxes stand in its middle
            vertex.y = y + (height - vertex.height) / 2
        tops.append(y)
        bottoms.append(y + height)
        y += height + (LABEL_GAP if any(v in labelled for v in row) else GAP)
    width = max((v.x + v.width / 2 for row in rows for v in row), default=0.0)
    return Layers(rows, tops, bottoms, width, bottoms[-1] if bottoms else 0.0)
