"""Breaking a long flow into columns, as text is: so that a deep network is no thin tower."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nncomp.inspect.view.layers import BOX_GAP, Edge, Layers, Vertex, arrange

COLUMN_GAP = 64.0
MAX_COLUMNS = 10
MAX_PASSING = 3  # values that go on from a column to the next
LEAST_PART = 0.3  # of the tallest column's height that each but the last has
ONE_COLUMN_IS_ENOUGH = 700.0  # pixels of height


@dataclass
class Column:
    """Boxes and edges that are laid out together.

    entries, exits: ports of the values that come from the column before, or go on to the next
    """

    vertices: list[Vertex] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    entries: dict[tuple[Vertex, object], Vertex] = field(default_factory=dict)
    exits: dict[tuple[Vertex, object], Vertex] = field(default_factory=dict)
    layers: Layers | None = None


@dataclass(frozen=True)
class Format:
    """What columns aim at: as few as are no higher than `height`, or else the number that brings
    the whole nearest to `aspect` = width : height."""

    aspect: float
    height: float | None = None


def into_columns(
    vertices: Sequence[Vertex], edges: Sequence[Edge], format: Format | None
) -> list[Column]:
    """The vertices (in topological order) in columns; in one column if there is no format.

    A flow is broken only where few values go on.
    """
    layers = arrange(vertices, edges)
    one = Column(list(vertices), list(edges), layers=layers)
    if format is None or layers.height <= (format.height or ONE_COLUMN_IS_ENOUGH):
        return [one]
    cuts = _cuts(layers, edges)
    candidates = [[len(layers.rows)]]
    for count in range(2, MAX_COLUMNS + 1):
        ends = _split(layers, cuts, count)
        if _is_even(ends, layers):
            candidates.append(ends)
    best = min(candidates, key=lambda ends: _miss(ends, layers, format))
    return [one] if len(best) == 1 else _cut(vertices, edges, best)


def _cuts(layers: Layers, edges: Sequence[Edge]) -> set[int]:
    """The layers before which the flow may be broken: few values pass there."""
    passing: list[set[tuple[Vertex, object]]] = [set() for _ in layers.rows]
    for edge in edges:
        for layer in range(edge.source.layer + 1, edge.target.layer + 1):
            passing[layer].add((edge.source, edge.key))
    boxes = [i for i, row in enumerate(layers.rows) if any(v.width for v in row)]
    inside = range(boxes[0] + 1, boxes[-1] + 1) if boxes else range(0)  # no column of ports alone
    return {layer for layer in inside if 0 < len(passing[layer]) <= MAX_PASSING}


def _split(layers: Layers, cuts: set[int], count: int) -> list[int]:
    """Where columns end (exclusive), with the tallest column as low as `count` columns allow."""
    low, high = 0.0, layers.height
    best = [len(layers.rows)]
    for _ in range(24):
        limit = (low + high) / 2
        ends = _fill(layers, cuts, limit)
        if ends is not None and len(ends) <= count:
            best, high = ends, limit
        else:
            low = limit
    return best


def _fill(layers: Layers, cuts: set[int], limit: float) -> list[int] | None:
    """Columns filled from the top to no more than `limit`; None if a piece is taller."""
    ends: list[int] = []
    start, last_cut = 0, 0
    for layer in range(len(layers.rows)):
        if layer in cuts:
            last_cut = layer
        if layers.bottoms[layer] - layers.tops[start] > limit:
            if last_cut <= start:
                return None
            ends.append(last_cut)
            start = last_cut
            if layers.bottoms[layer] - layers.tops[start] > limit:
                return None
    return [*ends, len(layers.rows)]


def _heights(ends: Sequence[int], layers: Layers) -> list[float]:
    return [
        layers.bottoms[end - 1] - layers.tops[start]
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]


def _is_even(ends: Sequence[int], layers: Layers) -> bool:
    """Whether no column (the last may be short) is a stub beside the tallest."""
    heights = _heights(ends, layers)
    return min(heights[:-1], default=0.0) >= LEAST_PART * max(heights) and heights[-1] > 60.0


def _miss(ends: Sequence[int], layers: Layers, format: Format) -> float:
    """How far columns that end there are from what is aimed at."""
    height = max(_heights(ends, layers))
    if format.height is not None:
        return len(ends) if height <= format.height else MAX_COLUMNS + height
    width = COLUMN_GAP * (len(ends) - 1)
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        width += max(
            sum(v.width for v in row) + BOX_GAP * (len(row) - 1) for row in layers.rows[start:end]
        )
    return abs(math.log(width / height / format.aspect))


def _cut(vertices: Sequence[Vertex], edges: Sequence[Edge], ends: Sequence[int]) -> list[Column]:
    columns = [Column() for _ in ends]
    column_of: dict[Vertex, int] = {}
    for vertex in vertices:
        column_of[vertex] = next(i for i, end in enumerate(ends) if vertex.layer < end)
        columns[column_of[vertex]].vertices.append(vertex)
    pieces: dict[tuple[Vertex, Vertex], Edge] = {}
    for edge in edges:
        first, last = column_of[edge.source], column_of[edge.target]
        source, source_dx = edge.source, edge.source_dx
        carried = (edge.source, edge.key)
        for number in range(first, last):  # on to a port at the foot of each column
            foot = _port(columns[number].exits, carried, "bottom")
            head = _port(columns[number + 1].entries, carried, "top")
            if (source, foot) not in pieces:
                labelled = edge.labelled and number == first
                piece = Edge(source, foot, edge.key, source_dx, 0.0, labelled)
                pieces[source, foot] = piece
                columns[number].edges.append(piece)
            source, source_dx = head, 0.0
        if first == last:
            columns[last].edges.append(edge)
        else:
            columns[last].edges.append(Edge(source, edge.target, edge.key, 0.0, edge.target_dx))
    for column in columns:
        column.vertices = [*column.entries.values(), *column.vertices, *column.exits.values()]
        column.layers = arrange(column.vertices, column.edges)
    return columns


def _port(
    ports: dict[tuple[Vertex, object], Vertex],
    carried: tuple[Vertex, object],
    pin: Literal["top", "bottom"],
) -> Vertex:
    if carried not in ports:
        ports[carried] = Vertex(pin=pin)
    return ports[carried]
