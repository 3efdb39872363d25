"""Breaking a long flow into columns, as text is: so that a deep network is no thin tower."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nncomp.inspect.view.layers import BOX_GAP, Edge, Layers, Vertex, arrange

COLUMN_GAP = 64.0
MAX_COLUMNS = 10
ONE_COLUMN_IS_ENOUGH = 700.0  # pixels of height


@dataclass
class Column:
    """Boxes and edges that are laid out together.

    entry, exit: ports of the one value that comes from the column before, or goes on to the next
    """

    vertices: list[Vertex] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    entry: Vertex | None = None
    exit: Vertex | None = None
    layers: Layers | None = None


def into_columns(
    vertices: Sequence[Vertex], edges: Sequence[Edge], aspect: float | None
) -> list[Column]:
    """The vertices (in topological order) in as many columns as bring the whole nearest to
    `aspect` = width : height; one if that is None. A flow is broken only where one value goes on.
    """
    one = Column(list(vertices), list(edges))
    one.layers = arrange(vertices, edges)
    if aspect is None or one.layers.height < ONE_COLUMN_IS_ENOUGH:
        return [one]
    cuts = _cuts(one.layers, edges)
    best, best_miss = [len(one.layers.rows)], _miss([len(one.layers.rows)], one.layers, aspect)
    for count in range(2, MAX_COLUMNS + 1):
        ends = _split(one.layers, cuts, count)
        miss = _miss(ends, one.layers, aspect)
        if miss < best_miss:
            best, best_miss = ends, miss
    return [one] if len(best) == 1 else _cut(vertices, edges, best)


def _cuts(layers: Layers, edges: Sequence[Edge]) -> set[int]:
    """The layers before which the flow may be broken: just one value passes there."""
    passing: list[set[tuple[Vertex, object]]] = [set() for _ in layers.rows]
    for edge in edges:
        for layer in range(edge.source.layer + 1, edge.target.layer + 1):
            passing[layer].add((edge.source, edge.key))
    boxes = [i for i, row in enumerate(layers.rows) if any(v.width for v in row)]
    inside = range(boxes[0] + 1, boxes[-1] + 1) if boxes else range(0)  # no column of ports alone
    return {layer for layer in inside if len(passing[layer]) == 1}


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


def _miss(ends: Sequence[int], layers: Layers, aspect: float) -> float:
    starts = [0, *ends[:-1]]
    height = max(layers.bottoms[e - 1] - layers.tops[s] for s, e in zip(starts, ends, strict=True))
    width = COLUMN_GAP * (len(ends) - 1)
    for start, end in zip(starts, ends, strict=True):
        width += max(
            sum(v.width for v in row) + BOX_GAP * (len(row) - 1) for row in layers.rows[start:end]
        )
    return abs(math.log(width / height / aspect))


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
        for number in range(first, last):  # on to the port at the foot of each column
            foot = _port(columns[number], "exit")
            head = _port(columns[number + 1], "entry")
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
        column.layers = arrange(column.vertices, column.edges)
    return columns


def _port(column: Column, side: str) -> Vertex:
    found = column.entry if side == "entry" else column.exit
    if found is None:
        found = Vertex(pin="top" if side == "entry" else "bottom")
        if side == "entry":
            column.entry = found
            column.vertices.insert(0, found)
        else:
            column.exit = found
            column.vertices.append(found)
    return found
