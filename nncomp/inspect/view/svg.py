"""A picture of a graph as SVG: blocks with their nodes, shapes on the edges, colours by family."""

from __future__ import annotations

from html import escape

from nncomp.inspect.cost import cost
from nncomp.inspect.families import FAMILIES
from nncomp.inspect.summary import count_nodes
from nncomp.inspect.units import short_count
from nncomp.inspect.view.boxes import BoxPainter
from nncomp.inspect.view.captions import chips
from nncomp.inspect.view.columns import Format
from nncomp.inspect.view.marks import text
from nncomp.inspect.view.metrics import text_width
from nncomp.inspect.view.outline import Box, open_boxes, open_like, outline, visible_leaves
from nncomp.inspect.view.scene import build_scene
from nncomp.inspect.view.style import family_class, style_sheet
from nncomp.ir.graph import Graph, Node

BUDGET = 14  # boxes in one panel, unless a depth is asked for: what is seen at one glance
ASPECT = 1.5  # width : height that a picture comes near to
MARGIN = 20.0
HEAD = 66.0  # of a panel, for its title
LEGEND = 34.0


def svg(graph: Graph, *, before: Graph | None = None, depth: int | None = None) -> str:
    """The picture of a graph, as the text of an SVG file. The same graph gives the same text.

    before: the graph before its optimisation, drawn on the left of it
    depth:  how many levels of blocks are opened; without, as many as are seen at one glance. Equal
        neighbours are drawn as one
    """
    graphs = [graph] if before is None else [before, graph]
    outlines = [outline(g) for g in graphs]
    open_boxes(outlines[0].root, BUDGET, depth)
    if before is not None:
        open_like(outlines[1].root, outlines[0].root)
    titles = [graph.name] if before is None else ["as written", "optimised"]
    panels: list[tuple[float, float, list[str]]] = []
    families: set[str] = set()
    for title, whole, of in zip(titles, outlines, graphs, strict=True):
        costs = cost(of)
        painter = BoxPainter(whole)
        if before is None:
            format = Format(ASPECT)
        else:  # the second panel is as high as the first
            format = Format(ASPECT / 1.6, panels[0][1] - HEAD - MARGIN if panels else None)
        scene = build_scene(whole, painter.measure, format)
        facts = _facts(count_nodes(of), costs.parameters or painter.parameters, costs.flops)
        width = max(scene.width, text_width(facts, 12), text_width(title, 16, bold=True))
        left = MARGIN + (width - scene.width) / 2
        parts = [
            text(MARGIN, 30, title, "big title"),
            text(MARGIN, 48, facts, "muted"),
            f'<g transform="translate({left:.1f} {HEAD + 14:.1f})">',
            *painter.paint(scene),
            "</g>",
        ]
        panels.append((width + 2 * MARGIN, scene.height + HEAD + 14 + MARGIN, parts))
        for leaf in visible_leaves(whole.root):
            families.update(_families(leaf, whole.nodes))
    return _page(graph.name, panels, families)


def _facts(nodes: int, parameters: int, flops: int) -> str:
    found = [f"{nodes} nodes"]
    if parameters:
        found.append(f"{short_count(parameters)} parameters")
    if flops:
        number = short_count(flops)
        found.append(f"{number}FLOPs" if " " in number else f"{number} FLOPs")
    return " · ".join(found)


def _families(leaf: Box, nodes: list[Node]) -> set[str]:
    return {chip.family for node in nodes[leaf.first : leaf.last + 1] for chip in chips(node)}


def _page(name: str, panels: list[tuple[float, float, list[str]]], families: set[str]) -> str:
    legend, legend_width = _legend(families)
    width = sum(w for w, _, _ in panels) + MARGIN * (len(panels) + 1)
    width = max(width, legend_width + 2 * MARGIN)
    tallest = max(h for _, h, _ in panels)
    height = tallest + MARGIN + LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(name)}</title>",
        f"<style>{style_sheet()}</style>",
        '<rect class="page" width="100%" height="100%"/>',
    ]
    x = MARGIN
    for panel_width, _, content in panels:
        parts.append(f'<g transform="translate({x:.1f} {MARGIN:.1f})">')
        parts.append(
            f'<rect class="panel" width="{panel_width:.1f}" height="{tallest:.1f}" rx="12"/>'
        )
        parts += [*content, "</g>"]
        x += panel_width + MARGIN
    parts.append(f'<g transform="translate({MARGIN:.1f} {tallest + MARGIN:.1f})">{legend}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _legend(families: set[str]) -> tuple[str, float]:
    parts = []
    x = 4.0
    for name in [*FAMILIES, "other"]:
        if name in families:
            parts.append(
                f'<rect class="box {family_class(name)}" x="{x:.1f}" y="13" width="11" '
                f'height="11" rx="3"/>' + text(x + 16, 22.5, name, "small muted")
            )
            x += text_width(name, 10.5) + 36
    return "".join(parts), x
