"""Summaries and pictures."""

from __future__ import annotations

from typing import Literal

from nncomp.driver.compiling import entry_of
from nncomp.inspect.summary import Summary, summarize
from nncomp.lower.program import Program
from nncomp.passes.manager import optimize, run_passes
from nncomp.passes.selection import Plan, plan_of

_MOST = 20  # nodes explained at once


def summary_of(
    program: Program, *, entry: str | None = None, level: int | Plan = 2, batch: int = 1
) -> Summary:
    """What the inference graph consists of, and what the passes of a level make of it."""
    graph = entry_of(program, entry)
    sizes = {
        str(value.shape[0]): batch
        for value in graph.inputs
        if value.rank and not isinstance(value.shape[0], int)
    }
    plan = plan_of(level)
    return summarize(graph, run_passes(graph, plan.passes, on_pass=plan.on_pass), sizes)


def picture_of(
    program: Program,
    *,
    entry: str | None = None,
    level: int = 2,
    only: Literal["before", "after"] | None = None,
    depth: int | None = None,
) -> str:
    """The graph as SVG: as written and as optimised, side by side, or only one of them."""
    from nncomp.inspect.view import svg

    before = entry_of(program, entry)
    if only == "before":
        return svg(before, depth=depth)
    after = optimize(before, level).graph
    return svg(after, before=None if only == "after" else before, depth=depth)
