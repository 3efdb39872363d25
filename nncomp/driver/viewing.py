"""Pages that show a model: source, graph and passes side by side."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nncomp.collector import collector_paused
from nncomp.driver.diffing import Given, compare
from nncomp.driver.profiling import Profile
from nncomp.driver.showing import Shown
from nncomp.inspect.cost import cost
from nncomp.inspect.diff.result import Diff
from nncomp.inspect.diff.tensors import Tolerance
from nncomp.inspect.diff.text import told
from nncomp.inspect.page.page import page
from nncomp.inspect.page.sources import Sources
from nncomp.inspect.page.story import Story, tell
from nncomp.inspect.page.tables import Tables
from nncomp.inspect.units import duration, short_count
from nncomp.ir.graph import Graph, Node
from nncomp.passes.rewrite import RulePass
from nncomp.source import SourceFile
from nncomp.syntax.highlight import highlights


@collector_paused()
def page_of(
    shown: Shown, source: SourceFile | None, file: str, profile: Profile | None = None
) -> str:
    """The page of one graph.

    source: the text that stands first; file: where it came from
    profile: what was measured of the graph after its passes
    """
    model, story = _model(shown, source)
    if profile is not None:
        model |= _measured(profile, story)
    documents = _documents(story)
    name = shown.graph.name
    summary = _summary(shown)
    if profile is not None:
        at = ", ".join(f"{name} = {size}" for name, size in profile.sizes.items())
        summary += f" · {duration(profile.seconds)} in onnxruntime" + (f" at {at}" if at else "")
    return page([model], files_shown=[file], name=name, summary=summary, documents=documents)


def _measured(profile: Profile, story: Story) -> dict[str, Any]:
    """Seconds by number of node, and what ran for each: operator, seconds, how often, and of how
    many nodes it does the work."""
    last = story.snapshots[-1]
    latency: dict[int, float] = {}
    kernels: dict[int, list[tuple[str, float, int, int]]] = {}
    for node, number in last.by_original.items():
        parts = profile.parts.get(node, ())
        if not parts:
            continue
        latency[number] = sum(part.seconds for part in parts)
        of: dict[tuple[str, int], list[float]] = {}
        for part in parts:
            of.setdefault((part.operator, part.nodes), []).append(part.seconds)
        kernels[number] = [(op, sum(s), len(s), n) for (op, n), s in of.items()]
    return {"latency": latency, "kernels": kernels}


@collector_paused()
def compared_page(a: Given, b: Given, sources: Sequence[SourceFile | None]) -> str:
    """The page of two models side by side, with what differs. Raises CompileError."""
    found = compare(a, b, tolerance=Tolerance())
    shown = [Shown(graph, None, {}) for graph in found.graphs]
    models, stories = zip(*map(_model, shown, sources), strict=True)
    numbers = [story.snapshots[0].by_original for story in stories]
    files = [found.a.file, found.b.file]
    changes = sum(not change.follows for change in found.changes)
    return page(
        models,
        files_shown=files,
        name=" and ".join(Path(file).name for file in files),
        summary=f"{changes} differences" if changes != 1 else "1 difference",
        documents={},
        diff=_differences(found, numbers),
    )


def _differences(found: Diff, numbers: Sequence[Mapping[Node, int]]) -> dict[str, Any]:
    """Pairs of nodes, each with a mark where it differs, and the changes as text."""

    def places(nodes: Iterable[Node | None]) -> list[int]:
        return [-1 if n is None else by.get(n, -1) for n, by in zip(nodes, numbers, strict=True)]

    readers = [_readers(graph) for graph in found.graphs]
    marks: dict[Node, str] = {}
    changes = []
    for change in found.changes:
        nodes: tuple[Node | None, ...] = change.nodes
        if change.part == "weight":
            paths = (change.path, change.new_path or change.path)
            nodes = tuple([by.get(path) for path, by in zip(paths, readers, strict=True)])
        if change.kind != "renamed" and not change.follows:
            for node in nodes:
                if node is not None:
                    marks.setdefault(node, change.kind)
        first, *more = [line.text for line in told(change)]
        sign, _, text = first.partition(" ")
        a, b = places(nodes)
        kind = "follows" if change.follows else change.kind
        changes.append({"sign": sign, "kind": kind, "text": text, "details": more, "a": a, "b": b})
    pairs = []
    for pair in found.pairs:
        mark = next((marks[node] for node in pair if node is not None and node in marks), "")
        pairs.append([*places(pair), mark])
    return {"pairs": pairs, "changes": changes}


def _readers(graph: Graph) -> dict[str, Node]:
    """For each parameter, by path, a node that reads it."""
    found = {p.path: graph.uses.get(p.value, ()) for p in graph.parameters}
    return {path: nodes[0] for path, nodes in found.items() if nodes}


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
