"""How models, graphs and passes draw themselves in a notebook: a picture, and text beside it for
where there are no pictures."""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping

from nncomp.autodiff.expand import expand_gradients
from nncomp.driver.compiling import entry_of
from nncomp.inspect.printing import print_summary
from nncomp.inspect.summary import count_nodes, summarize
from nncomp.ir.drawn import Bundle, draws
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.lower.program import Program
from nncomp.passes.base import Pass
from nncomp.passes.manager import OptimizeResult, PassRecord

_MOST = 200  # lines of text
_WIDTH = 100  # columns of a table


def draw_program(program: Program) -> Bundle:
    """As written beside as optimised; the table of blocks."""
    from rich.console import Console

    from nncomp.driver.showing import passed, sizes_for
    from nncomp.inspect.view import svg

    if not program.graph.outputs:  # a model that only trains
        section = next(iter(program.train.values()))
        return draw_graph(expand_gradients(section.evaluation))
    graph = entry_of(program, None)
    result = passed(graph)
    summary = summarize(graph, result, sizes_for(graph))
    page = io.StringIO()
    print_summary(summary, Console(file=page, width=_WIDTH))
    return _bundle(svg(result.graph, before=graph), page.getvalue())


def draw_graph(graph: Graph) -> Bundle:
    """The picture, and the graph as flat `.nn`."""
    from nncomp.inspect.view import svg

    return _bundle(svg(graph), to_text(graph).text)


def draw_result(result: OptimizeResult) -> Bundle:
    """Before and after all passes; what each did."""
    from nncomp.inspect.view import svg

    before = result.log[0].before if result.log else result.graph
    lines = [_line(record) for record in result.log if record.changed]
    return _bundle(svg(result.graph, before=before), "\n".join(lines) or "nothing changed")


def draw_record(record: PassRecord) -> Bundle:
    """Before and after one pass."""
    from nncomp.inspect.view import svg

    return _bundle(svg(record.result.graph, before=record.before), _line(record))


def draw_pass(pass_: Pass) -> Bundle:
    """What it does."""
    doc = inspect.getdoc(type(pass_)) or ""
    return {"text/plain": f"{pass_.name}: {doc}", "text/markdown": f"**{pass_.name}**\n\n{doc}"}


def _line(record: PassRecord) -> str:
    before, after = count_nodes(record.before), count_nodes(record.result.graph)
    rules = ", ".join(f"{rule} ×{times}" for rule, times in record.result.counts.items())
    return f"{record.name}: {before} → {after} nodes, {rules or 'nothing changed'}"


def _bundle(picture: str, text: str) -> Bundle:
    lines = text.splitlines()
    if len(lines) > _MOST:
        lines = [*lines[:_MOST], f"… and {len(lines) - _MOST} lines more"]
    return {"image/svg+xml": picture, "text/plain": "\n".join(lines)}


def signature(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    """`(image: f32[N, 1, 28, 28]) -> logits: f32[N, 10]`, of types by name."""
    taken, given = (", ".join(f"{n}: {t}" for n, t in side.items()) for side in (inputs, outputs))
    return f"({taken}) -> {given or 'nothing'}"


def register() -> None:
    """Teaches the classes to draw themselves."""
    draws(Program, draw_program)
    draws(Graph, draw_graph)
    draws(OptimizeResult, draw_result)
    draws(PassRecord, draw_record)
    draws(Pass, draw_pass)
