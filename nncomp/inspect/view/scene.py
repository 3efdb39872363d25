"""A picture's geometry: boxes, nested boxes and lines, with coordinates.

Each open block is laid out by itself, from the inside out, and is then one box for the block
around it. Values that cross its border do so at ports. The geometry knows nothing of SVG, so that
other viewers can draw it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from nncomp.inspect.view.captions import type_label
from nncomp.inspect.view.columns import Column, into_columns
from nncomp.inspect.view.layers import Edge, Vertex
from nncomp.inspect.view.outline import Box, Outline, chain, span_of_repeats, visible_leaves
from nncomp.ir.graph import Value

PADDING = 14.0  # inside an open block
HEADER = 30.0  # of an open block


@dataclass
class Shape:
    """A drawn box: its upper left corner and its size, in pixels of the whole picture."""

    kind: Literal["node", "block", "input", "output"]
    box: Box
    x: float
    y: float
    width: float
    height: float
    depth: int
    value: Value | None = None


@dataclass
class Line:
    """A value on its way from one box to another: the corners of its course.

    curved: pieces between points at different x are curves, else right angles
    label: the value's type, at `label_at`, on that side of the line
    arrow: whether it ends with one (not at a border port)
    """

    points: list[tuple[float, float]]
    value: Value
    curved: bool = True
    label: str = ""
    label_side: Literal["left", "right"] = "right"
    arrow: bool = True


@dataclass
class Scene:
    """shapes: outer ones first."""

    width: float = 0.0
    height: float = 0.0
    shapes: list[Shape] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


Measure = Callable[[Box], tuple[float, float]]


@dataclass(eq=False)
class _Flow:
    """A value that runs between two parts of one block; None is the block's border."""

    value: Value
    source: object
    target: object


def build_scene(whole: Outline, measure: Measure, aspect: float) -> Scene:
    """The scene of an outline as far as it is open.

    measure: the size of a closed box, or the least size of an open one
    aspect:  the width : height to come near to, by breaking the flow into columns
    """
    flows = _flows(whole)
    scenes: dict[Box, _Inner] = {}
    order, pending = [], [whole.root]
    while pending:
        box = pending.pop()
        order.append(box)
        pending.extend(child for child in box.children if child.is_open)
    for box in reversed(order):
        scenes[box] = _lay_out(box, flows.get(box, []), scenes, measure, whole, aspect)
    return scenes[whole.root].scene


def _flows(whole: Outline) -> dict[Box, list[_Flow]]:
    """For each open block the values that run inside it, each pair of ends once."""
    found: dict[Box, dict[tuple[int, object, object], _Flow]] = {}
    graph, root = whole.graph, whole.root

    def add(block: Box, value: Value, source: object, target: object) -> None:
        key = (id(value), source, target)
        found.setdefault(block, {}).setdefault(key, _Flow(value, source, target))

    def run(value: Value, source: list[Box], target: list[Box]) -> None:
        common = 0
        while common < min(len(source), len(target)) and source[common] is target[common]:
            common += 1
        if common == len(source) or common == len(target):
            return  # both ends in one closed box
        outer = source[common - 1] if common else root
        for i in range(len(source) - 1, common, -1):
            add(source[i - 1], value, source[i], None)
        add(outer, value, source[common], target[common])
        for i in range(common, len(target) - 1):
            add(target[i], value, None, target[i + 1])

    chains: dict[int, list[Box]] = {}
    stand_in = _StandIns(whole)
    inputs = {v: Box(name=v.name) for v in graph.inputs if v.rank}
    for number, node in enumerate(whole.nodes):
        if not stand_in.is_first(number):
            continue
        chains[number] = chain(root, number)
        for value in dict.fromkeys(node.operands):
            if value in inputs:
                run(value, [inputs[value]], chains[number])
            elif value.node in whole.position:
                source = stand_in.of(whole.position[value.node])
                shown = _stand_in_value(value, whole, source)
                run(shown, chain(root, source), chains[number])
    for name, value in graph.outputs.items():
        end = Box(name=name)
        if value in inputs:
            run(value, [inputs[value]], [end])
        elif value.node in whole.position:
            source = stand_in.of(whole.position[value.node])
            run(_stand_in_value(value, whole, source), chain(root, source), [end])
    return {block: list(flows.values()) for block, flows in found.items()}


def _stand_in_value(value: Value, whole: Outline, source: int) -> Value:
    return whole.nodes[source].outputs[value.index]


class _StandIns:
    """Which node of the first of some repeated blocks stands for a node of a later one."""

    def __init__(self, whole: Outline) -> None:
        self._of = list(range(len(whole.nodes)))
        pending = [whole.root]
        while pending:
            box = pending.pop()
            pending.extend(box.children)
            if box.repeats > 1:
                for number in range(box.last + 1, span_of_repeats(box) + 1):
                    self._of[number] = box.first + (number - box.first) % box.size

    def of(self, number: int) -> int:
        # repeats may stand inside repeats: the outer ones were entered first
        while self._of[number] != number:
            number = self._of[number]
        return number

    def is_first(self, number: int) -> bool:
        return self._of[number] == number


@dataclass
class _Inner:
    """A block that is laid out: its scene from (0, 0), and where values cross its border."""

    scene: Scene
    entries: dict[Value, float]
    exits: dict[Value, float]


def _lay_out(
    block: Box,
    flows: list[_Flow],
    inner: dict[Box, _Inner],
    measure: Measure,
    whole: Outline,
    aspect: float,
) -> _Inner:
    is_root = block is whole.root
    vertices: dict[object, Vertex] = {}
    ends: list[tuple[object, Vertex]] = []
    for end in _ends(block, flows):
        if isinstance(end, Box):
            if end in inner:
                size = inner[end].scene.width, inner[end].scene.height
            else:
                size = measure(end)
            vertex = Vertex(*size)
        else:
            vertex = Vertex(pin="top" if end[0] == "entry" else "bottom")
        vertices[end] = vertex
        ends.append((end, vertex))
    edges: list[tuple[_Flow, Edge]] = []
    for flow in flows:
        source = vertices[flow.source or ("entry", flow.value)]
        target = vertices[flow.target or ("exit", flow.value)]
        edge = Edge(source, target, flow.value)
        if isinstance(flow.source, Box) and flow.source in inner:
            edge.source_dx = inner[flow.source].exits[flow.value] - source.width / 2
        if isinstance(flow.target, Box) and flow.target in inner:
            edge.target_dx = inner[flow.target].entries[flow.value] - target.width / 2
        edge.labelled = flow.source is not None and flow.target is not None
        edges.append((flow, edge))
    column_list = into_columns(
        [v for _, v in ends], [e for _, e in edges], aspect if is_root else None
    )
    return _Assembly(block, inner, measure, is_root, ends, edges, column_list).result()


def _ends(block: Box, flows: list[_Flow]) -> list[object]:
    """The ends of flows in topological order: entries, inputs, parts, outputs, exits."""
    entries = dict.fromkeys(("entry", f.value) for f in flows if f.source is None)
    exits = dict.fromkeys(("exit", f.value) for f in flows if f.target is None)
    parts = dict.fromkeys(block.children)
    sources = {f.source: None for f in flows if isinstance(f.source, Box)}
    targets = {f.target: None for f in flows if isinstance(f.target, Box)}
    inputs = [s for s in sources if s not in parts]
    outputs = [t for t in targets if t not in parts]
    return [*entries, *inputs, *parts, *outputs, *exits]
