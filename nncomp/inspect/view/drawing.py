"""What is drawn of a graph, without coordinates: for programs that place things themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nncomp.inspect.view.boxes import BoxPainter
from nncomp.inspect.view.captions import chips
from nncomp.inspect.view.flows import runs_of
from nncomp.inspect.view.outline import Box, open_boxes, outline, visible_leaves
from nncomp.inspect.view.svg import BUDGET
from nncomp.ir.graph import Graph, Value


@dataclass(frozen=True)
class Drawing:
    """Boxes with their identifiers, and the lines between those that are closed.

    root: the tree of blocks, as far as it is open; leaves: its closed boxes
    """

    root: Box
    leaves: Sequence[Box]
    inputs: Sequence[Box]
    outputs: Sequence[Box]
    edges: Sequence[tuple[Box, Box, Value]]
    ids: Mapping[Box, str]
    painter: BoxPainter

    def title(self, box: Box) -> str:
        """Its name, and how many equal blocks it stands for."""
        title = self.painter.title(box)
        return f"{title} ×{box.repeats}" if box.repeats > 1 else title

    def label(self, box: Box) -> list[str]:
        """The lines on a closed box."""
        return self.painter.lines(box)

    def family(self, box: Box) -> str:
        """The family of its operator, of the first of several; "other" of a block."""
        return chips(box.node)[0].family if box.node is not None else "other"


def drawing(graph: Graph, depth: int | None = None) -> Drawing:
    """The boxes of a graph. depth: as of `svg`"""
    whole = outline(graph)
    open_boxes(whole.root, BUDGET, depth)
    edges: dict[tuple[Box, Box, Value], None] = {}
    inputs: dict[Box, None] = {}
    outputs: dict[Box, None] = {}
    for value, source, target in runs_of(whole):
        start, end = source[-1], target[-1]
        if start is end:
            continue
        edges[start, end, value] = None
        if start.first < 0:
            inputs[start] = None
        if end.first < 0:
            outputs[end] = None
    ids: dict[Box, str] = {}
    pending = [whole.root]
    for box in (*inputs, *outputs):
        ids[box] = f"n{len(ids)}"
    while pending:
        box = pending.pop()
        ids[box] = f"n{len(ids)}"
        if box.is_open:
            pending.extend(reversed(box.children))
    painter = BoxPainter(whole)
    leaves = visible_leaves(whole.root)
    return Drawing(whole.root, leaves, [*inputs], [*outputs], [*edges], ids, painter)
