"""Summaries, pictures and the stories of nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from nncomp.driver.compiling import compiled_step, entry_of, section_of, sized
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.inspect.cost import known_before_run
from nncomp.inspect.summary import Summary, summarize
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Origin
from nncomp.lower.program import Program
from nncomp.passes.manager import LEVELS, OptimizeResult, optimize, run_passes
from nncomp.passes.selection import Plan, plan_of
from nncomp.source import Span

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


def explain_node(program: Program, wanted: str, *, level: int = 2) -> list[str]:
    """The story of each node that has the name: a block's path, an operator or a value.

    Raises CompileError NN0103 if there is none.
    """
    before = entry_of(program, None)
    result = optimize(before, level)
    found = [node for node in result.graph.nodes if _is_called(node, wanted)]
    if not found:
        gone = [node for node in before.nodes if _is_called(node, wanted)]
        found = _successors(gone, result.graph)
    if not found:
        raise _no_such(program, before, wanted)
    once = known_before_run(result.graph)  # new weights in the making; named only if all is such
    found = [node for node in found if not once.issuperset(node.outputs)] or found
    return _several(found, lambda node: _story(node, result))


def explain_step(program: Program, wanted: str, *, batch: int | None = None) -> list[str]:
    """The story of each node of the first training step that has the name, and in which standard
    operators onnxruntime gets it: of several formulas, which and why.

    batch: the number of samples, if it is to be known
    Raises CompileError NN0103 if there is none, NN0403 without a train section.
    """
    _, section = section_of(program)
    step = sized(compiled_step(section).step, batch)
    found = [node for node in step.nodes if _is_called(node, wanted)]
    if not found:
        raise _no_such(program, step, wanted)
    found = [node for node in found if not isinstance(node.op, Constant | Dims)] or found
    return _several(found, lambda node: "\n".join((*_told(node), *_formulas(node))))


def _several(found: Sequence[Node], story: Callable[[Node], str]) -> list[str]:
    stories = [story(node) for node in found[:_MOST]]
    if len(found) > _MOST:
        stories.append(f"… and {len(found) - _MOST} more")
    return stories


def _no_such(program: Program, graph: Graph, wanted: str) -> CompileError:
    names = {node.origin.scope for node in graph.nodes} | {n.op.name for n in graph.nodes}
    return error(
        "NN0103",
        f"{program.name} has no node, block or operator `{wanted}`",
        help=did_you_mean(wanted, names - {""}) or _known(graph),
    )


def _known(graph: Graph) -> str | None:
    blocks = sorted({node.origin.scope.split(".")[0] for node in graph.nodes} - {""})
    listed = ", ".join(f"`{name}`" for name in blocks[:_MOST])
    return f"its blocks are {listed}" + (", …" if len(blocks) > _MOST else "") if blocks else None


def _is_called(node: Node, wanted: str) -> bool:
    scope = node.origin.scope
    inside = scope == wanted or scope.startswith(f"{wanted}.")
    return inside or node.op.name == wanted or any(v.name == wanted for v in node.outputs)


def _successors(gone: Iterable[Node], graph: Graph) -> list[Node]:
    """What stands now for nodes that the passes took away: it has their source."""
    spans = {_key(span) for node in gone for span in node.origin.spans[:1]}
    return [n for n in graph.nodes if any(_key(span) in spans for span in n.origin.spans)]


def _formulas(node: Node) -> Iterator[str]:
    """Of several formulas for onnxruntime on the CPU, the chosen one and what the others lack."""
    from nncomp.backends.ort.legalize import Target, weigh_bodies

    weighed = weigh_bodies(node, Target())
    costs = {body.name: cost for body, cost in weighed.items() if not isinstance(cost, str)}
    for name in sorted(costs, key=costs.__getitem__):
        least = min(costs.values())
        if costs[name] == least:
            yield f"  written as {name}"
            if least == 0:  # it is written for other operands, by one of the others
                del costs[name]
        else:
            yield f"  rather than {name}, estimated at {costs[name] / least:.3g} times the time"
    for body, reason in weighed.items():
        if isinstance(reason, str):
            yield f"  not as {body.name}: {reason}"


def _story(node: Node, result: OptimizeResult) -> str:
    lines = _told(node)
    own = {_key(span) for span in node.origin.spans[:1]}
    for refusal in result.refusals:
        if any(_key(span) in own for span in refusal.node.origin.spans[:1]):
            lines.append(f"  refused {refusal.rule} at {refusal.node.op.name}: {refusal.reason}")
    return "\n".join(lines)


def _told(node: Node) -> list[str]:
    """What the node is, where it comes from and what made it."""
    operands = ", ".join(str(value.type) for value in node.operands)
    types = ", ".join(str(value.type) for value in node.outputs)
    lines = [f"{node.op.name}({operands}) -> {types}"]
    if node.origin.scope:
        lines.append(f"  in block {node.origin.scope}")
    for span in _one_a_line(node.origin):
        line = span.source.line(span.line).strip()
        lines.append(f"  from {span}: {line[:100]}")
    return [*lines, *(f"  made by {rewrite}" for rewrite in node.origin.history)]


def _one_a_line(origin: Origin) -> list[Span]:
    """The spans, the user's line first, each line once."""
    lines: dict[tuple[int, int], Span] = {}
    for span in origin.spans:
        lines.setdefault((id(span.source), span.line), span)
    return list(lines.values())


def _key(span: Span) -> tuple[int, int, int]:
    return id(span.source), span.start, span.end


def pass_documents() -> dict[str, str]:
    """What each pass does, by its name."""
    return {
        pass_.name: inspect.getdoc(type(pass_)) or ""
        for passes in LEVELS.values()
        for pass_ in passes
    }
