"""Draws a scene's boxes and lines as SVG, and says how large a box must be for what is on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nncomp.inspect.cost import Measure, parameters_owned
from nncomp.inspect.families import family
from nncomp.inspect.units import shape, short_count
from nncomp.inspect.view.captions import Chip, chips, detail, operators, tooltip, working
from nncomp.inspect.view.marks import (
    badge,
    badge_width,
    chip_row,
    chips_width,
    label,
    path,
    rect,
    stack,
    strip,
    strip_width,
    terminal,
    text,
)
from nncomp.inspect.view.metrics import LABEL, NAME, shorten, text_width
from nncomp.inspect.view.outline import Box, Outline, span_of_repeats
from nncomp.inspect.view.scene import PADDING, Kind, Scene, Shape
from nncomp.inspect.view.style import family_class
from nncomp.ir.graph import Node

SIDE = 12.0  # from a box's side to its text
MAX_TEXT = 230.0


@dataclass(frozen=True)
class _Caption:
    """The lines on a closed box: chips or a name with a second name, then small ones."""

    chips: tuple[Chip, ...]
    name: str
    small: tuple[str, ...]


class BoxPainter:
    """Sizes and draws the boxes of one outline."""

    def __init__(self, whole: Outline) -> None:
        self.whole = whole
        self._captions: dict[Box, _Caption] = {}
        self._owned = parameters_owned(whole.graph, whole.nodes, Measure({}))

    @property
    def parameters(self) -> int:
        """Learnt numbers that the nodes read."""
        return sum(self._owned)

    # --- what is written, and the room it takes --------------------------------------------------

    def measure(self, box: Box, kind: Kind) -> tuple[float, float]:
        """Width and height of a box; of an open one the width of its header."""
        if kind in ("input", "output"):
            return max(44.0, text_width(box.name, NAME, bold=True) + 2 * SIDE + 6), 26.0
        if box.is_open:
            name = text_width(self.title(box), NAME, bold=True)
            if box.repeats > 1:
                name += 8 + badge_width(f"×{box.repeats}")
            return name + text_width(self._parameters(box), LABEL) + 2 * PADDING + 24, 0.0
        caption = self._caption(box)
        top = chips_width(caption.chips) + text_width(caption.name, NAME, bold=not caption.chips)
        if caption.chips and caption.name:
            top += 10
        if box.repeats > 1:
            top += 8 + badge_width(f"×{box.repeats}")
        width = max([top, *(text_width(line, LABEL) for line in caption.small)]) + 2 * SIDE
        # half of it holds the label of the line that leaves from its middle
        width = max(width, 2 * self._label_width(box) + 24, 96.0)
        height = (28.0 if len(caption.chips) < 2 else 32.0) + 14.0 * len(caption.small)
        if box.node is None:
            width = max(width, strip_width(working(self._nodes(box))) + 2 * SIDE)
            height += 14.0
        return width, height + (2.0 if caption.small else 0.0)

    def _label_width(self, box: Box) -> float:
        node = self.whole.nodes[box.last]
        return text_width(shape(node.outputs[0].type), LABEL)

    def _nodes(self, box: Box) -> list[Node]:
        return self.whole.nodes[box.first : box.last + 1]

    def _caption(self, box: Box) -> _Caption:
        if box not in self._captions:
            self._captions[box] = self._new_caption(box)
        return self._captions[box]

    def _new_caption(self, box: Box) -> _Caption:
        if box.node is not None:
            small = " · ".join(p for p in (detail(box.node), self._parameters(box)) if p)
            small = shorten(small, LABEL, MAX_TEXT)
            name = shorten(self.title(box), NAME, MAX_TEXT / 2)
            return _Caption(chips(box.node), name, (small,) if small else ())
        lines = _wrap(operators(self._nodes(box)))
        if parameters := self._parameters(box):
            lines.append(parameters)
        return _Caption((), self.title(box), tuple(lines))

    def lines(self, box: Box) -> list[str]:
        """What is written on a closed box, line by line."""
        caption = self._caption(box)
        name = caption.name + (f" ×{box.repeats}" if box.repeats > 1 else "")
        top = " + ".join(chip.text for chip in caption.chips)
        return [" ".join(part for part in (top, name) if part), *caption.small]

    def title(self, box: Box) -> str:
        """`layer1.0`; of repeated blocks `layer1.1 … 2`."""
        name = box.name
        if name.isdigit():  # says nothing without the list that it is an item of
            parts = box.path.split(".")
            named = [i for i, part in enumerate(parts) if not part.isdigit()]
            name = ".".join(parts[named[-1] if named else 0 :])
        if box.repeats > 1:
            scope = self.whole.nodes[span_of_repeats(box)].origin.scope.split(".")
            name = f"{name} … {scope[box.path.count('.')]}"
        return shorten(name, NAME, MAX_TEXT, bold=True)

    def _parameters(self, box: Box) -> str:
        total = sum(self._owned[box.first : box.last + 1])
        each = " each" if box.repeats > 1 else ""
        return f"{short_count(total)} parameters{each}" if total else ""

    # --- drawing ---------------------------------------------------------------------------------

    def paint(self, scene: Scene) -> list[str]:
        """The elements of a scene, back to front."""
        parts = [self._block(s) for s in scene.shapes if s.kind == "block" and s.box.is_open]
        parts += [path(line) for line in scene.lines]
        parts += [label(line) for line in scene.lines if line.labelled]
        for drawn in scene.shapes:
            if drawn.kind in ("input", "output"):
                parts.append(terminal(drawn))
            elif not drawn.box.is_open:
                parts.append(self._closed(drawn))
            else:
                parts.append(self._header(drawn))
        return parts

    def _block(self, s: Shape) -> str:
        shade = "even" if s.depth % 2 else "odd"
        return stack(s, shade, 10) + rect(s, f"box {shade}", 10)

    def _header(self, s: Shape) -> str:
        title = self.title(s.box)
        parts = [
            text(s.x + PADDING, s.y + 19, title, "name strong"),
            text(s.x + s.width - PADDING, s.y + 19, self._parameters(s.box), "small muted", "end"),
        ]
        if s.box.repeats > 1:
            x = s.x + PADDING + text_width(title, NAME, bold=True) + 8
            parts.append(badge(x, s.y + 8, f"×{s.box.repeats}"))
        return f"<g>{self._tooltip(s)}{''.join(parts)}</g>"

    def _closed(self, s: Shape) -> str:
        caption = self._caption(s.box)
        node = s.box.node
        if node is None:
            parts = [stack(s, "card", 8), rect(s, "box card", 8)]
        else:
            fused = len(caption.chips) > 1
            parts = [rect(s, f"box {'card' if fused else family_class(family(node.op))}", 7)]
        y = s.y + (18.5 if len(caption.chips) < 2 else 20.5)
        top = chips_width(caption.chips) + (10 if caption.chips and caption.name else 0)
        top += text_width(caption.name, NAME, bold=not caption.chips)
        if s.box.repeats > 1:
            top += 8 + badge_width(f"×{s.box.repeats}")
        x = s.x + (s.width - top) / 2
        if caption.chips:
            parts.append(chip_row(caption.chips, x, y - 13.5))
            x += chips_width(caption.chips) + 10
        if caption.name:
            parts.append(text(x, y, caption.name, "muted" if node is not None else "name strong"))
        if s.box.repeats > 1:
            x += text_width(caption.name, NAME, bold=True) + 8
            parts.append(badge(x, s.y + 7.5, f"×{s.box.repeats}"))
        if node is None:
            parts.append(strip(s, working(self._nodes(s.box)), y + 8))
            y += 14
        for line in caption.small:
            y += 14
            below = 2 if len(caption.chips) < 2 else 4
            parts.append(text(s.x + s.width / 2, y + below, line, "small label", "middle"))
        return f"<g>{self._tooltip(s)}{''.join(parts)}</g>"

    def _tooltip(self, s: Shape) -> str:
        story = tooltip(self.whole.graph, s.box, self._nodes(s.box))
        return f"<title>{escape(story)}</title>"


def _wrap(words: Sequence[str]) -> list[str]:
    """The words on at most two lines; what does not fit is counted."""
    lines = [""]
    for number, word in enumerate(words):
        longer = f"{lines[-1]}, {word}" if lines[-1] else word
        if text_width(longer, LABEL) <= MAX_TEXT or not lines[-1]:
            lines[-1] = longer
        elif len(lines) == 1:
            lines[0] += ","
            lines.append(word)
        else:
            more = f" and {len(words) - number} more"
            if "," in lines[1] and text_width(lines[1] + more, LABEL) > MAX_TEXT + 50:
                lines[1] = lines[1].rpartition(", ")[0]
                more = f" and {len(words) - number + 1} more"
            lines[1] += more
            break
    return [shorten(line, LABEL, MAX_TEXT + 50) for line in lines]
