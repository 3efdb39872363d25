"""The summary of a graph, and its picture."""

from __future__ import annotations

from typing import Literal

from nncomp.driver.showing import Shown, inference_of
from nncomp.inspect.summary import Summary, summarize
from nncomp.lower.program import Program
from nncomp.passes.selection import Plan


def summary_of(
    program: Program, *, entry: str | None = None, level: int | Plan = 2, batch_size: int = 1
) -> Summary:
    """What the inference graph consists of, and what the passes of a level make of it."""
    shown = inference_of(program, entry=entry, level=level, batch_size=batch_size)
    return summarize(shown.graph, shown.result, shown.sizes)


def picture_of(
    shown: Shown,
    kind: str = "svg",
    *,
    graph: Literal["before", "after"] | None = None,
    depth: int | None = None,
) -> bytes:
    """The graph as a picture: as written and as optimised, side by side, or only one of them;
    `dot` and `mmd` are of one, the optimised one if none is chosen. Raises CompileError NN0001 if
    what draws PNG is not installed."""
    from nncomp.inspect.view import dot, mermaid, svg

    before = shown.graph
    after = before if shown.result is None else shown.result.graph
    chosen = before if graph == "before" else after
    if kind in ("dot", "mmd"):
        return (dot if kind == "dot" else mermaid)(chosen, depth=depth).encode()
    beside = before if graph is None and after is not before else None
    text = svg(chosen, before=beside, depth=depth)
    if kind == "svg":
        return text.encode()
    from nncomp.inspect.view.png import png

    return png(text)
