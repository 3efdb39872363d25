"""A graph as DOT, the language of Graphviz: blocks as clusters, shapes on the edges."""

from __future__ import annotations

from nncomp.inspect.units import shape
from nncomp.inspect.view.drawing import Drawing, drawing
from nncomp.inspect.view.outline import Box
from nncomp.inspect.view.style import FAMILY_COLOURS
from nncomp.ir.graph import Graph


def dot(graph: Graph, *, depth: int | None = None) -> str:
    """The graph as the text of a `.dot` file. depth: as of `svg`"""
    drawn = drawing(graph, depth)
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        '  graph [fontname="Helvetica", fontsize=12, compound=true]',
        '  node [fontname="Helvetica", fontsize=11, shape=box, style="rounded,filled"]',
        '  edge [fontname="Helvetica", fontsize=9, color="#8a97a8"]',
    ]
    lines += [f"  {drawn.ids[box]} [{_terminal(box)}]" for box in drawn.inputs]
    lines += _block(drawn, drawn.root, "  ")
    lines += [f"  {drawn.ids[box]} [{_terminal(box)}]" for box in drawn.outputs]
    for source, target, value in drawn.edges:
        ends = f"{drawn.ids[source]} -> {drawn.ids[target]}"
        lines.append(f"  {ends} [label={_quoted(shape(value.type))}]")
    return "\n".join([*lines, "}", ""])


def _block(drawn: Drawing, block: Box, indent: str) -> list[str]:
    lines = []
    for box in block.children:
        if box.is_open:
            lines.append(f"{indent}subgraph cluster_{drawn.ids[box]} {{")
            title = _quoted(drawn.title(box))
            lines.append(f'{indent}  label={title}; style=rounded; color="#cdd5df"')
            lines += [*_block(drawn, box, indent + "  "), f"{indent}}}"]
        else:
            fill, line, text = FAMILY_COLOURS[drawn.family(box)][:3]
            colours = f'fillcolor="{fill}", color="{line}", fontcolor="{text}"'
            label = _quoted("\n".join(drawn.label(box)))
            lines.append(f"{indent}{drawn.ids[box]} [label={label}, {colours}]")
    return lines


def _terminal(box: Box) -> str:
    colours = 'shape=box, fillcolor="#334155", fontcolor="#ffffff"'
    return f"label={_quoted(box.name)}, {colours}"


def _quoted(text: str) -> str:
    """A string of DOT: everything in it is shown as it is."""
    plain = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
