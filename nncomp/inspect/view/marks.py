"""The SVG elements that pictures are made of."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

from nncomp.inspect.units import shape
from nncomp.inspect.view.captions import Chip, chips
from nncomp.inspect.view.metrics import LABEL, NAME, text_width
from nncomp.inspect.view.scene import Line, Shape
from nncomp.inspect.view.style import family_class
from nncomp.ir.graph import Node

CHIP_HEIGHT = 18.0
CHIP_GAP = 3.0
SQUARE_GAP = 3.0
SQUARE = 7.0  # of the strip that shows the operators of a closed block
MAX_SQUARES = 30  # of them, with one for each operator that a node does the work of
CORNER = 8.0  # radius where lines turn


def text(x: float, y: float, content: str, classes: str, anchor: str = "") -> str:
    """A <text> element; anchor is "middle", "end" or nothing."""
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}"{where}>{escape(content)}</text>'


def rect(s: Shape, classes: str, radius: float) -> str:
    return _rect(s.x, s.y, s.width, s.height, classes, radius)


def _rect(x: float, y: float, width: float, height: float, classes: str, radius: float) -> str:
    return (
        f'<rect class="{classes}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{radius:g}"/>'
    )


def stack(s: Shape, classes: str, radius: float) -> str:
    """The cards behind a box that stands for several."""
    if s.box.repeats == 1:
        return ""
    behind = range(min(3, s.box.repeats) - 1, 0, -1)
    return "".join(
        _rect(s.x + 4 * i, s.y + 4 * i, s.width, s.height, f"box {classes}", radius) for i in behind
    )


def terminal(s: Shape) -> str:
    """An input or output of the graph."""
    name = text(s.x + s.width / 2, s.y + 17, s.box.name, "name onterminal", "middle")
    story = f"{s.kind} {s.box.name}" + (f": {s.value.type}" if s.value is not None else "")
    return f"<g><title>{escape(story)}</title>{rect(s, 'terminal', 13)}{name}</g>"


def badge(x: float, y: float, content: str) -> str:
    """A small rounded mark such as `×3`."""
    width = text_width(content, LABEL, bold=True) + 10
    return _rect(x, y, width, 15, "badge", 7.5) + text(
        x + width / 2, y + 11.3, content, "small name onterminal", "middle"
    )


def badge_width(content: str) -> float:
    return text_width(content, LABEL, bold=True) + 10


# --- operators -----------------------------------------------------------------------------------


def chips_width(row: Sequence[Chip]) -> float:
    widths = [text_width(chip.text, NAME, bold=True) for chip in row]
    if len(row) < 2:
        return sum(widths)
    return sum(widths) + 12 * len(row) + CHIP_GAP * (len(row) - 1)


def chip_row(row: Sequence[Chip], x: float, y: float) -> str:
    """The operators of a node: one as plain text, several each on its own ground."""
    if len(row) == 1:
        return text(x, y + 13.5, row[0].text, f"name {family_class(row[0].family)}-t")
    parts = []
    for chip in row:
        width = text_width(chip.text, NAME, bold=True) + 12
        shown = family_class(chip.family)
        parts.append(_rect(x, y, width, CHIP_HEIGHT, f"box {shown}", 5))
        parts.append(text(x + width / 2, y + 13, chip.text, f"name {shown}-t", "middle"))
        x += width + CHIP_GAP
    return "".join(parts)


def strip_width(nodes: Sequence[Node]) -> float:
    """The width of `strip`."""
    return sum(SQUARE * len(row) + SQUARE_GAP for row in _squares(nodes)) - SQUARE_GAP


def _squares(nodes: Sequence[Node]) -> list[tuple[Chip, ...]]:
    """The operators of the first nodes."""
    found: list[tuple[Chip, ...]] = []
    left = MAX_SQUARES
    for node in nodes:
        row = chips(node)
        left -= len(row)
        if left < 0:
            break
        found.append(row)
    return found


def strip(s: Shape, nodes: Sequence[Node], y: float) -> str:
    """A row of small bars, one for each node of a closed block, in the colours of its operators."""
    x = s.x + (s.width - strip_width(nodes)) / 2
    parts = []
    for row in _squares(nodes):
        for chip in row:
            parts.append(_rect(x, y, SQUARE, SQUARE, f"{family_class(chip.family)}-s", 1.5))
            x += SQUARE
        x += SQUARE_GAP
    return "".join(parts)


# --- lines ---------------------------------------------------------------------------------------


def path(line: Line) -> str:
    """The course of a value, with an arrow where it reaches a box."""
    points = _without_repeats(line.points)
    if line.arrow:
        x, y = points[-1]
        points[-1] = (x, y - 5)
    d = _curves(points) if line.curved else _corners(points)
    drawn = f'<path class="line" d="{d}"/>'
    if line.is_entry:
        x, y = line.points[0]
        drawn += f'<circle class="tip" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
    if line.arrow:
        x, y = line.points[-1]
        drawn += f'<path class="tip" d="M{x - 3.6:.1f} {y - 6:.1f}h7.2L{x:.1f} {y:.1f}z"/>'
    return drawn


def label(line: Line) -> str:
    """The type of a line's value beside its start."""
    x, y = line.points[0]
    anchor = "end" if line.side == "left" else ""
    content, x = shape(line.value.type), x + (-7 if anchor else 7)
    y += 16
    halo = text(x, y, content, "small halo", anchor)
    return halo + text(x, y, content, "small label", anchor)


def _without_repeats(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points without those in the middle of straight pieces."""
    found: list[tuple[float, float]] = []
    for point in points:
        if found and abs(found[-1][0] - point[0]) + abs(found[-1][1] - point[1]) < 0.05:
            continue
        if len(found) > 1 and all(abs(p[0] - point[0]) < 0.05 for p in found[-2:]):
            found.pop()
        found.append(point)
    return found if len(found) > 1 else [points[0], points[-1]]


def _curves(points: Sequence[tuple[float, float]]) -> str:
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if abs(x0 - x1) < 0.5:
            parts.append(f"L{x1:.1f} {y1:.1f}")
        else:
            middle = (y0 + y1) / 2
            parts.append(f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}")
    return "".join(parts)


def _corners(points: Sequence[tuple[float, float]]) -> str:
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        a, b = _towards(here, before), _towards(here, after)
        parts.append(f"L{a[0]:.1f} {a[1]:.1f}Q{here[0]:.1f} {here[1]:.1f} {b[0]:.1f} {b[1]:.1f}")
    return "".join([*parts, f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"])


def _towards(here: tuple[float, float], there: tuple[float, float]) -> tuple[float, float]:
    """The point where rounding starts, on the way from a corner to its neighbour."""
    dx, dy = there[0] - here[0], there[1] - here[1]
    length = max(1e-9, abs(dx) + abs(dy))
    part = min(CORNER, length / 2) / length
    return here[0] + dx * part, here[1] + dy * part
