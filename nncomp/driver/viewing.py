"""Pages that show a model: source, graph and passes side by side."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate
from nncomp.collector import collector_paused
from nncomp.driver.compiling import data_inputs, entry_of, section_of
from nncomp.inspect.cost import cost
from nncomp.inspect.page.page import page
from nncomp.inspect.page.sources import Sources
from nncomp.inspect.page.story import Story, tell
from nncomp.inspect.page.tables import Tables
from nncomp.inspect.units import short_count
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.passes.manager import OptimizeResult, optimize_step, run_passes
from nncomp.passes.rewrite import RulePass
from nncomp.passes.selection import Plan, plan_of
from nncomp.source import SourceFile
from nncomp.syntax.highlight import highlights


@dataclass(frozen=True)
class Shown:
    """A graph and what the passes made of it. sizes: of its symbolic dims, for what it costs."""

    graph: Graph
    result: OptimizeResult | None
    sizes: Mapping[str, int]


def inference_of(
    program: Program, *, entry: str | None = None, level: int | Plan = 2, batch: int = 1
) -> Shown:
    """The inference graph, or that of an entry, and its passes. Raises CompileError NN0306."""
    graph = entry_of(program, entry)
    plan = plan_of(level)
    result = run_passes(graph, plan.passes, on_pass=plan.on_pass)
    first = [value.shape[0] for value in graph.inputs if value.rank]
    return Shown(graph, result, {str(dim): batch for dim in first if not isinstance(dim, int)})


def training_of(program: Program, *, batch: int = 1) -> Shown:
    """The first training step, its gradients expanded, and its passes. Raises CompileError
    NN0401, NN0403."""
    _, section = section_of(program)
    step = expand_gradients(section.step)
    result = optimize_step(step, evaluate)
    first = [type_.shape[0] for type_ in data_inputs(step).values() if type_.rank]
    return Shown(step, result, {str(dim): batch for dim in first if not isinstance(dim, int)})


@collector_paused()
def page_of(shown: Shown, source: SourceFile | None, file: str) -> str:
    """The page of one graph. source: the text that stands first; file: where it came from"""
    model, story = _model(shown, source)
    documents = _documents(story)
    name = shown.graph.name
    return page(
        [model], files_shown=[file], name=name, summary=_summary(shown), documents=documents
    )


def _model(shown: Shown, source: SourceFile | None) -> tuple[dict[str, Any], Story]:
    sources = Sources(highlights)
    if source is not None:
        sources.add(source)
    story = tell(shown.graph, shown.result)
    columns = Tables(story, sources, shown.sizes).to_json()
    return {**columns, **sources.to_json()}, story


def _summary(shown: Shown) -> str:
    costs = cost(shown.graph, shown.sizes)
    parts = []
    if costs.parameters:
        parts.append(f"{short_count(costs.parameters)} parameters")
    if costs.flops:
        parts.append(f"{short_count(costs.flops)} FLOPs")
    parts += [f"{name} = {size}" for name, size in shown.sizes.items()]
    return " · ".join(parts)


def _documents(story: Story) -> dict[str, Any]:
    """What the passes of a story and their rules do, in their own words."""
    found = {}
    for snapshot in story.snapshots:
        if snapshot.record is None:
            continue
        pass_ = snapshot.record.pass_
        rules = pass_.rules if isinstance(pass_, RulePass) else ()
        found[pass_.name] = {
            "text": _prose(type(pass_)),
            "rules": {rule.name: _prose(type(rule)) for rule in rules},
        }
    return found


def _prose(subject: type) -> str:
    """A docstring, each paragraph on one line; formulas, which are indented, as they are."""
    paragraphs = (inspect.getdoc(subject) or "").split("\n\n")
    return "\n\n".join(p if "\n " in p else p.replace("\n", " ") for p in paragraphs)
