"""A graph as a Mermaid flowchart, which GitHub draws in Markdown: blocks as subgraphs."""

from __future__ import annotations

from nncomp.inspect.units import shape
from nncomp.inspect.view.drawing import Drawing, drawing
from nncomp.inspect.view.outline import Box
from nncomp.inspect.view.style import FAMILY_COLOURS, family_class
from nncomp.ir.graph import Graph


def mermaid(graph: Graph, *, depth: int | None = None) -> str:
    """The graph as the text of a `.mmd` file. depth: as of `svg`"""
    drawn = drawing(graph, depth)
    lines = ["flowchart TD"]
    lines += [f"  {drawn.ids[box]}([{_quoted(box.name)}])" for box in drawn.inputs]
    lines += _block(drawn, drawn.root, "  ")
    lines += [f"  {drawn.ids[box]}([{_quoted(box.name)}])" for box in drawn.outputs]
    for source, target, value in drawn.edges:
        label = _quoted(shape(value.type))
        lines.append(f"  {drawn.ids[source]} -->|{label}| {drawn.ids[target]}")
    families = {drawn.family(box) for box in drawn.leaves}
    for family, colours in FAMILY_COLOURS.items():
        if family in families:
            fill, line, text = colours[:3]
            style = f"fill:{fill},stroke:{line},color:{text}"
            lines.append(f"  classDef {family_class(family)} {style}")
    return "\n".join([*lines, ""])


def _block(drawn: Drawing, block: Box, indent: str) -> list[str]:
    lines = []
    for box in block.children:
        if box.is_open:
            lines.append(f"{indent}subgraph {drawn.ids[box]} [{_quoted(drawn.title(box))}]")
            lines += [*_block(drawn, box, indent + "  "), f"{indent}end"]
        else:
            label = _quoted("\n".join(drawn.label(box)))
            of = family_class(drawn.family(box))
            lines.append(f"{indent}{drawn.ids[box]}[{label}]:::{of}")
    return lines


def _quoted(text: str) -> str:
    """A string of Mermaid: what may mean something to it or to HTML is written as a number."""
    written = []
    for c in text:
        if c == "\n":
            written.append("<br/>")
        elif c.isalnum() or c in " .,·×→+-_/()…–:=":
            written.append(c)
        else:
            written.append(f"#{ord(c) if c.isprintable() else 0xFFFD};")
    return f'"{"".join(written)}"'
