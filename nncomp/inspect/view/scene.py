"""A picture's geometry: boxes, nested boxes and lines, with coordinates.

Each open block is laid out by itself, from the inside out, and is then one box for the block
around it. Values that cross its border do so at ports. The geometry knows nothing of SVG, so that
other viewers can draw it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from nncomp.inspect.units import shape
from nncomp.inspect.view.columns import COLUMN_GAP, Column, Format, into_columns
from nncomp.inspect.view.flows import Flow, flows_of
from nncomp.inspect.view.layers import Edge, Vertex
from nncomp.inspect.view.metrics import LABEL, text_width
from nncomp.inspect.view.outline import Box, Outline
from nncomp.ir.graph import Value

PADDING = 14.0  # inside an open block
HEADER = 28.0  # of an open block; below it stand the ports of what enters
TURN = 8.0  # from a column to where a line from column to column turns
RAIL_GAP = 7.0  # between such lines side by side
PORT_MARGIN = 14.0  # between the corners of a box and lines
PORT_GAP = 12.0  # between lines that meet one box

Kind = Literal["node", "block", "input", "output"]
Measure = Callable[[Box, Kind], tuple[float, float]]


@dataclass
class Shape:
    """A drawn box: its upper left corner and its size, in pixels.

    depth: how many boxes hold it, the picture itself among them
    """

    kind: Kind
    box: Box
    x: float
    y: float
    width: float
    height: float
    depth: int = 0
    value: Value | None = None


@dataclass
class Line:
    """The course of a value from one box to another.

    points: its corners; between two of different x it is a curve if `curved`, else straight
    labelled: whether the value's type stands at its start, on that side
    arrow: whether it ends at a box (not at the foot of a column or a block)
    is_entry: whether it starts at a port, below the header of a block
    """

    points: list[tuple[float, float]]
    value: Value
    curved: bool = True
    labelled: bool = False
    side: Literal["left", "right"] = "right"
    arrow: bool = True
    is_entry: bool = False


@dataclass
class Scene:
    """shapes: outer ones first."""

    width: float = 0.0
    height: float = 0.0
    shapes: list[Shape] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def add(self, other: Scene, dx: float, dy: float) -> None:
        """Draws a scene inside this one."""
        for s in other.shapes:
            self.shapes.append(replace(s, x=s.x + dx, y=s.y + dy, depth=s.depth + 1))
        for line in other.lines:
            self.lines.append(replace(line, points=[(x + dx, y + dy) for x, y in line.points]))


@dataclass
class _Inner:
    """An open block that is laid out: its scene, and where values cross its border."""

    scene: Scene
    entries: dict[Value, float]
    exits: dict[Value, float]


def build_scene(whole: Outline, measure: Measure, format: Format) -> Scene:
    """The scene of an outline as far as it is open.

    measure: the size of a closed box; of an open one the least width that its header needs
    format:  what to come near to, by breaking long flows into columns
    """
    flows = flows_of(whole)
    order, pending = [], [whole.root]
    while pending:
        box = pending.pop()
        order.append(box)
        pending.extend(child for child in box.children if child.is_open)
    inner: dict[Box, _Inner] = {}
    for box in reversed(order):
        layout = _BlockLayout(box, flows.get(box, []), inner, measure, box is whole.root)
        nested = any(child.is_open for child in box.children)
        if layout.is_root:
            inner[box] = layout.result(format)
        else:
            inner[box] = layout.result(Format(format.aspect) if nested else None)
    return inner[whole.root].scene


class _BlockLayout:
    """Lays out the parts of one open block."""

    def __init__(
        self,
        block: Box,
        flows: list[Flow],
        inner: dict[Box, _Inner],
        measure: Measure,
        is_root: bool,
    ) -> None:
        self.block, self.inner, self.measure = block, inner, measure
        self.is_root = is_root
        self.entries: dict[Value, Vertex] = {}
        self.exits: dict[Value, Vertex] = {}
        self.boxes: dict[Box, tuple[Kind, Vertex]] = {}
        self.input_values = {f.source: f.value for f in flows if f.source is not None}
        self.columns: list[Column] = []
        self._all = self._vertices(flows)
        self._edges = [self._edge(flow) for flow in flows]

    def _vertices(self, flows: list[Flow]) -> list[Vertex]:
        """All ends of flows, in topological order."""
        parts = set(self.block.children)
        self.entries = {f.value: Vertex(pin="top") for f in flows if f.source is None}
        self.exits = {f.value: Vertex(pin="bottom") for f in flows if f.target is None}
        sources = dict.fromkeys(f.source for f in flows if f.source is not None)
        targets = dict.fromkeys(f.target for f in flows if f.target is not None)
        self._add_boxes("input", [box for box in sources if box not in parts])
        self._add_boxes("node", self.block.children)
        self._add_boxes("output", [box for box in targets if box not in parts])
        middle = [vertex for _, vertex in self.boxes.values()]
        return [*self.entries.values(), *middle, *self.exits.values()]

    def _add_boxes(self, kind: Kind, boxes: list[Box]) -> None:
        for box in boxes:
            if box in self.inner:
                size = self.inner[box].scene.width, self.inner[box].scene.height
            else:
                size = self.measure(box, kind)
            self.boxes[box] = kind, Vertex(*size)

    def _edge(self, flow: Flow) -> Edge:
        source = self.entries[flow.value] if flow.source is None else self.boxes[flow.source][1]
        target = self.exits[flow.value] if flow.target is None else self.boxes[flow.target][1]
        edge = Edge(source, target, flow.value)
        if flow.source in self.inner and flow.source is not None:
            edge.source_dx = self.inner[flow.source].exits[flow.value] - source.width / 2
        if flow.target in self.inner and flow.target is not None:
            edge.target_dx = self.inner[flow.target].entries[flow.value] - target.width / 2
        edge.labelled = flow.source is not None and flow.target is not None
        return edge

    def result(self, format: Format | None) -> _Inner:
        """Places everything, in columns if a format is given (see `into_columns`)."""
        self.columns = into_columns(self._all, self._edges, format)
        content = Scene()
        at: dict[Vertex, tuple[float, float]] = {}  # upper left corners
        x = 0.0
        feet: dict[tuple[Vertex, object], tuple[float, float]] = {}
        for column in self.columns:
            layers = column.layers
            assert layers is not None
            for row in layers.rows:
                for v in row:
                    at[v] = x + v.x - v.width / 2, v.y
            content.lines += self._lines(column, x)
            content.lines += _gutter_lines(feet, column, x)
            feet = {key: (x + foot.x, layers.height) for key, foot in column.exits.items()}
            content.height = max(content.height, layers.height + RAIL_GAP * len(feet))
            x += layers.width + COLUMN_GAP
        content.width = x - COLUMN_GAP
        return self._framed(content, at)

    def _lines(self, column: Column, dx: float) -> list[Line]:
        layers = column.layers
        assert layers is not None
        fixed = {v for b, (_, v) in self.boxes.items() if b in self.inner}
        boxes = {v for _, v in self.boxes.values()}
        entries = set(self.entries.values())
        starts, ends = _ports(column.edges, fixed)
        lines: list[Line] = []
        labelled: dict[tuple[Vertex, object], list[Line]] = {}
        for edge in column.edges:
            x, target_x = starts[edge] + dx, ends[edge] + dx
            source, target = edge.source, edge.target
            points = [(x, source.y + source.height), (x, layers.bottoms[source.layer])]
            for bend in edge.bends:
                points.append((bend.x + dx, layers.tops[bend.layer]))
                points.append((bend.x + dx, layers.bottoms[bend.layer]))
            points += [(target_x, layers.tops[target.layer]), (target_x, target.y)]
            assert isinstance(edge.key, Value)
            line = Line(points, edge.key, arrow=target in boxes, is_entry=source in entries)
            lines.append(line)
            if edge.labelled:
                labelled.setdefault((source, edge.key), []).append(line)
        for together in labelled.values():
            first = together[0]
            first.labelled = True
            turns = [line.points[2][0] - line.points[0][0] for line in together]
            if max(turns) > 4 and min(turns) > -4:
                first.side = "left"
        _drop_tight_labels(lines)
        return lines

    def _framed(self, content: Scene, at: dict[Vertex, tuple[float, float]]) -> _Inner:
        """The content with its nested scenes, and with the block's own frame around it."""
        scene = Scene(content.width, content.height)
        dx = dy = 0.0
        if not self.is_root:
            least, _ = self.measure(self.block, "block")
            scene.width = max(content.width + 2 * PADDING, least)
            dx = (scene.width - content.width) / 2
            rails = max(len(column.entries) for column in self.columns)
            turns = TURN + RAIL_GAP * rails if rails else 0.0
            dy = HEADER + turns
            content.height += turns
            scene.height = content.height + dy + (0.0 if self.exits else PADDING)
            scene.shapes.append(Shape("block", self.block, 0, 0, scene.width, scene.height))
            last = self.columns[-1].layers
            bottom = last.height if last is not None else 0.0
            for line in content.lines:  # what leaves goes on to the border
                x, y = line.points[-1]
                if line.value in self.exits and y == bottom and not line.arrow:
                    line.points.append((x, content.height))
        for box, (kind, vertex) in self.boxes.items():
            x, y = at[vertex][0] + dx, at[vertex][1] + dy
            if box in self.inner:
                scene.add(self.inner[box].scene, x, y)
                continue
            shown: Kind = "block" if kind == "node" and box.node is None else kind
            value = self.input_values.get(box) if kind == "input" else None
            scene.shapes.append(Shape(shown, box, x, y, vertex.width, vertex.height, 1, value))
        lines = Scene(lines=content.lines)
        scene.add(lines, dx, dy)
        entries = {value: at[v][0] + dx for value, v in self.entries.items()}
        exits = {value: at[v][0] + dx for value, v in self.exits.items()}
        return _Inner(scene, entries, exits)


def _drop_tight_labels(lines: list[Line]) -> None:
    """Where lines leave one edge so close that a label would lie on the next, it goes."""
    levels: dict[float, list[Line]] = {}
    for line in lines:
        if line.labelled:
            levels.setdefault(line.points[0][1], []).append(line)
    for level in levels.values():
        level.sort(key=lambda line: line.points[0][0])
        for line, after in pairwise(level):
            room = after.points[0][0] - line.points[0][0]
            needs = text_width(shape(line.value.type), LABEL) + 12
            if line.side != after.side:  # towards one another, or apart
                needs = 2 * needs if line.side == "right" else 0.0
            line.labelled = room >= needs


def _gutter_lines(
    feet: dict[tuple[Vertex, object], tuple[float, float]], column: Column, left: float
) -> list[Line]:
    """From the foot of the column before to the head of this one, with right angles, side by
    side: what starts on the left goes lower, and up on the right."""
    lines = []
    ordered = sorted(column.entries.items(), key=lambda item: feet[item[0]])
    for rank, (carried, port) in enumerate(ordered):
        value = carried[1]
        assert isinstance(value, Value)
        (x, y), head = feet[carried], left + port.x
        inner, outer = TURN + RAIL_GAP * rank, TURN + RAIL_GAP * (len(ordered) - 1 - rank)
        gutter = left - COLUMN_GAP / 2 - RAIL_GAP * (rank - (len(ordered) - 1) / 2)
        points = [(x, y), (x, y + outer), (gutter, y + outer)]
        points += [(gutter, -inner), (head, -inner), (head, 0.0)]
        lines.append(Line(points, value, curved=False, arrow=False))
    return lines


def _ports(edges: list[Edge], fixed: set[Vertex]) -> tuple[dict[Edge, float], dict[Edge, float]]:
    """Where each edge leaves its source and meets its target: x coordinates.

    At open blocks and bends that is given. At boxes, lines meet the edge where they come from
    above it, kept apart; all lines of one value leave together.
    """
    starts: dict[Edge, float] = {}
    ends: dict[Edge, float] = {}
    leaving: dict[Vertex, dict[object, list[Edge]]] = {}
    meeting: dict[Vertex, list[Edge]] = {}
    for edge in edges:
        leaving.setdefault(edge.source, {}).setdefault(edge.key, []).append(edge)
        meeting.setdefault(edge.target, []).append(edge)
        starts[edge] = edge.source.x + edge.source_dx
        ends[edge] = edge.target.x + edge.target_dx
    for vertex, values in leaving.items():
        if vertex in fixed or len(values) == 1 or not vertex.width:
            continue
        wanted = [sum(_next_x(e) for e in group) / len(group) for group in values.values()]
        for group, x in zip(values.values(), _spread(vertex, wanted, vertex.width), strict=True):
            for edge in group:
                starts[edge] = x
    for vertex, group in meeting.items():
        if vertex not in fixed and vertex.width:
            wanted = [(e.bends[-1].x if e.bends else starts[e]) for e in group]
            for edge, x in zip(group, _spread(vertex, wanted), strict=True):
                ends[edge] = x
    return starts, ends


def _next_x(edge: Edge) -> float:
    return edge.bends[0].x if edge.bends else edge.target.x + edge.target_dx


def _spread(vertex: Vertex, wanted: list[float], gap: float = PORT_GAP) -> list[float]:
    """Places on the edge of a box, as near as may be to where lines want to meet it."""
    left, right = vertex.x - vertex.width / 2, vertex.x + vertex.width / 2
    room = right - left - 2 * PORT_MARGIN
    gap = min(gap, room / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    least = left + PORT_MARGIN
    for rank, i in enumerate(order):
        most = right - PORT_MARGIN - gap * (len(order) - 1 - rank)
        placed[i] = min(max(wanted[i], least), most)
        least = placed[i] + gap
    return placed
