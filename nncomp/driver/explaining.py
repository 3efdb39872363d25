"""The stories of nodes: where each comes from, what made it, why it is not something else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nncomp.driver.compiling import compiled_step, entry_of, optimized, section_of, sized
from nncomp.driver.showing import passed
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.inspect.cost import known_before_run
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Origin
from nncomp.lower.program import Program
from nncomp.passes.base import Refusal
from nncomp.passes.manager import LEVELS, OptimizeResult
from nncomp.passes.rewrite import RulePass
from nncomp.source import Span
from nncomp.types import Array

MOST = 20  # nodes explained at once
_WIDTH = 100  # of a line of the source


@dataclass(frozen=True)
class Source:
    """A line that a node comes from."""

    place: str
    text: str


@dataclass(frozen=True)
class Refused:
    """A rule that nearly matched, at a node that is called `at`."""

    rule: str
    at: str
    reason: str


@dataclass(frozen=True)
class Unmatched:
    """A rule that looks at this operator, and at what: a pattern that is not there."""

    rule: str
    pattern: str


@dataclass(frozen=True)
class Story:
    """What is known of one node.

    signature: operand and result types
    block: the path of the block that it belongs to, "" for the model's own
    history: the rewrites that made it, oldest first
    refused: at the node itself; beside: at those that it reads or that read it
    formulas: in which standard operators it is written, of several
    """

    operator: str
    signature: str
    block: str
    sources: tuple[Source, ...]
    history: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    beside: tuple[Refused, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    formulas: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.operator}{self.signature}"]
        if self.block:
            lines.append(f"  in block {self.block}")
        lines += [f"  from {source.place}: {source.text}" for source in self.sources]
        lines += [f"  made by {step}" for step in self.history]
        lines += [f"  refused {r.rule} at {r.at}: {r.reason}" for r in self.refused]
        lines += [f"  beside it, refused {r.rule} at {r.at}: {r.reason}" for r in self.beside]
        lines += [f"  not there for {u.rule}: {u.pattern}" for u in self.unmatched]
        lines += [f"  {formula}" for formula in self.formulas]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        def refusals(found: Iterable[Refused]) -> list[dict[str, str]]:
            return [{"rule": r.rule, "at": r.at, "reason": r.reason} for r in found]

        return {
            "operator": self.operator,
            "signature": self.signature,
            "block": self.block,
            "sources": [{"place": s.place, "text": s.text} for s in self.sources],
            "made_by": list(self.history),
            "refused": refusals(self.refused),
            "refused_beside": refusals(self.beside),
            "not_there": [{"rule": u.rule, "pattern": u.pattern} for u in self.unmatched],
            "formulas": list(self.formulas),
        }


@dataclass(frozen=True)
class Stories:
    """Of all nodes that have a name: the first `MOST`, and how many more there are."""

    told: tuple[Story, ...]
    more: int

    def __str__(self) -> str:
        more = [f"… and {self.more} more"] if self.more else []
        return "\n\n".join([*map(str, self.told), *more])

    def to_json(self) -> dict[str, Any]:
        return {"nodes": [story.to_json() for story in self.told], "more": self.more}


def explain_node(
    program: Program,
    wanted: str,
    state: Mapping[str, Array] | None = None,
    *,
    entry: str | None = None,
    level: int = 2,
) -> Stories:
    """The story of each node that has the name: a block's path, an operator, a value, what an
    imported model calls a node, or what `build` will. Of one that is gone, those that stand for it.

    state: the weights, where rules are to see their numbers; without, they know that there are some
    Raises CompileError NN0103 if there is none.
    """
    before = entry_of(program, entry)
    result = passed(before, level) if state is None else optimized(before, state, level)
    found = [node for node in result.graph.nodes if _is_called(node, wanted)]
    if not found:
        line = program.original.find(wanted) if program.original is not None else None
        gone = [n for n in before.nodes if _is_called(n, wanted) or line in n.origin.spans]
        found = _successors(gone, before, result.graph)
        if not found and (gone or line is not None):
            raise _nothing_left(wanted, level, line)
    found = found or _written(result.graph, wanted)
    if not found:
        raise _no_such(program, before, wanted)
    once = known_before_run(result.graph)  # new weights in the making; named only if all is such
    found = [node for node in found if not once.issuperset(node.outputs)] or found
    refusals = _by_place(result)
    rules = _rules(level)
    told = [_whole(node, result.graph, refusals, rules) for node in found[:MOST]]
    if program.original is not None:
        traced = program.original.traced
        told = [_with_python(s, n, traced) for s, n in zip(told, found, strict=False)]
    return _several(told, found)


def explain_step(program: Program, wanted: str, *, batch_size: int | None = None) -> Stories:
    """The story of each node of the first training step that has the name, and in which standard
    operators onnxruntime gets it: of several formulas, which and why.

    batch_size: the number of samples, if it is to be known
    Raises CompileError NN0103 if there is none, NN0403 without a train section.
    """
    _, section = section_of(program)
    step = sized(compiled_step(section).step, batch_size)
    found = [node for node in step.nodes if _is_called(node, wanted)]
    if not found:
        raise _no_such(program, step, wanted)
    found = [node for node in found if not isinstance(node.op, Constant | Dims)] or found
    told = [replace(_told(node), formulas=tuple(_formulas(node))) for node in found[:MOST]]
    return _several(told, found)


def _several(told: Sequence[Story], found: Sequence[Node]) -> Stories:
    return Stories(tuple(told), len(found) - len(told))


def _no_such(program: Program, graph: Graph, wanted: str) -> CompileError:
    names = {node.origin.scope for node in graph.nodes} | {n.op.name for n in graph.nodes}
    return error(
        "NN0103",
        f"{program.name} has no node, block or operator `{wanted}`",
        help=did_you_mean(wanted, names - {""}) or _known(graph),
    )


def _known(graph: Graph) -> str | None:
    blocks = sorted({node.origin.scope.split(".")[0] for node in graph.nodes} - {""})
    if not blocks:
        operators = dict.fromkeys(node.op.name for node in graph.nodes)
        return f"its operators are {', '.join(operators)}" if operators else None
    listed = ", ".join(f"`{name}`" for name in blocks[:MOST])
    return f"its blocks are {listed}" + (", …" if len(blocks) > MOST else "")


def _is_called(node: Node, wanted: str) -> bool:
    scope = node.origin.scope
    inside = scope == wanted or scope.startswith(f"{wanted}.")
    return inside or node.op.name == wanted or any(v.name == wanted for v in node.outputs)


def _written(graph: Graph, wanted: str) -> list[Node]:
    """What `build` writes as a node, or a result of one, of the name; none where it cannot."""
    from nncomp.backends.ort.emit import emit
    from nncomp.backends.ort.legalize import legalize
    from nncomp.ir.live import live_nodes

    try:
        standard = legalize(graph)
        protos = emit(standard).graph.node
    except CompileError:
        return []
    nodes = (node for node in live_nodes(standard) if not isinstance(node.op, Constant))
    called = zip(nodes, protos, strict=False)  # behind them stand those of renamed outputs
    named = [n for n, proto in called if wanted in (proto.name, *proto.output)]
    places = {(n.origin.spans, n.origin.scope) for n in named}
    found = [n for n in graph.nodes if (n.origin.spans, n.origin.scope) in places]
    kinds = {type(n.op) for n in named}  # as the node itself, where it is written as it is
    return [node for node in found if type(node.op) in kinds] or found


def _successors(gone: Sequence[Node], before: Graph, graph: Graph) -> list[Node]:
    """What stands now for nodes that the passes took away: it has their source, or that of the
    next behind them, since what is merged from many nodes does not name each."""
    seen = set(gone)
    while gone:
        spans = {_key(span) for node in gone for span in node.origin.spans[:1]}
        found = [n for n in graph.nodes if any(_key(span) in spans for span in n.origin.spans)]
        if found:
            return found
        readers = (r for node in gone for v in node.outputs for r in before.uses.get(v, ()))
        gone = [node for node in dict.fromkeys(readers) if node not in seen]
        seen.update(gone)
    return []


def _nothing_left(wanted: str, level: int, line: Span | None) -> CompileError:
    return error(
        "NN0103",
        f"nothing is left of `{wanted}` at -O{level}",
        line,
        help="what it gives is known before a run, or nothing reads it",
    )


def _with_python(
    story: Story, node: Node, traced: Callable[[Span], tuple[str, str] | None]
) -> Story:
    """With the lines of Python that the node was traced from, each once."""
    lines = dict.fromkeys(filter(None, map(traced, node.origin.spans)))
    return replace(story, sources=(*story.sources, *(Source(*line) for line in lines)))


Place = tuple[int, int, int]
Refusals = Mapping[Place, Sequence[Refusal]]


def _by_place(result: OptimizeResult) -> Refusals:
    """The refusals by where the nodes stand in the source."""
    found: dict[Place, list[Refusal]] = {}
    for refusal in result.refusals:
        for span in refusal.node.origin.spans[:1]:
            found.setdefault(_key(span), []).append(refusal)
    return found


def _rules(level: int) -> dict[str, tuple[type, ...]]:
    """The rules of a level's passes that name the operators which they look at, and the pattern
    of each."""
    return {
        f"{pass_.name}/{rule.name}: {_pattern(type(rule))}": rule.roots
        for pass_ in LEVELS[level]
        if isinstance(pass_, RulePass)
        for rule in pass_.rules
        if rule.roots
    }


def _pattern(rule: type) -> str:
    """The first sentence of a rule's docstring: what it makes of what."""
    document = (inspect.getdoc(rule) or "").split("\n\n")[0]
    return " ".join(document.split()).rstrip(".:")


def _whole(
    node: Node, graph: Graph, refusals: Refusals, rules: Mapping[str, tuple[type, ...]]
) -> Story:
    """With what was refused at the node and beside it, and what its rules would have needed."""
    own = _refused(node, refusals)
    above = [v.node for v in node.operands if v.node is not None]
    below = [n for v in node.outputs for n in graph.uses.get(v, ())]
    near = dict.fromkeys(r for n in (*above, *below) for r in _refused(n, refusals))
    told = _told(node)
    done = {step.partition("/")[2] for step in told.history} | {r.rule for r in own}
    unmatched = [
        Unmatched(*name.split(": ", 1))
        for name, roots in rules.items()
        if type(node.op) in roots and name.split(":")[0].partition("/")[2] not in done
    ]
    beside = tuple(r for r in near if r not in own)
    return replace(told, refused=own, beside=beside, unmatched=tuple(unmatched))


def _refused(node: Node, refusals: Refusals) -> tuple[Refused, ...]:
    found = [r for span in node.origin.spans[:1] for r in refusals.get(_key(span), ())]
    return tuple(dict.fromkeys(Refused(r.rule, r.node.op.name, r.reason) for r in found))


def _told(node: Node) -> Story:
    """What the node is, where it comes from and what made it."""
    operands = ", ".join(str(value.type) for value in node.operands)
    types = ", ".join(str(value.type) for value in node.outputs)
    sources = tuple(
        Source(str(span), span.source.line(span.line).strip()[:_WIDTH])
        for span in _one_a_line(node.origin)
    )
    history = tuple(map(str, node.origin.history))
    return Story(node.op.name, f"({operands}) -> {types}", node.origin.scope, sources, history)


def _one_a_line(origin: Origin) -> list[Span]:
    """The spans, the user's line first, each line once."""
    lines: dict[tuple[int, int], Span] = {}
    for span in origin.spans:
        lines.setdefault((id(span.source), span.line), span)
    return list(lines.values())


def _key(span: Span) -> Place:
    return id(span.source), span.start, span.end


def _formulas(node: Node) -> Iterator[str]:
    """Of several formulas for onnxruntime on the CPU, the chosen one and what the others lack."""
    from nncomp.backends.ort.legalize import Target, weigh_bodies

    weighed = weigh_bodies(node, Target())
    costs = {body.name: cost for body, cost in weighed.items() if not isinstance(cost, str)}
    for name in sorted(costs, key=costs.__getitem__):
        least = min(costs.values())
        if costs[name] == least:
            yield f"written as {name}"
            if least == 0:  # it is written for other operands, by one of the others
                del costs[name]
        else:
            yield f"rather than {name}, estimated at {costs[name] / least:.3g} times the time"
    for body, reason in weighed.items():
        if isinstance(reason, str):
            yield f"not as {body.name}: {reason}"


def pass_documents() -> dict[str, str]:
    """What each pass does, by its name; with its rules, if it has some."""
    found = {}
    for passes in LEVELS.values():
        for pass_ in passes:
            text = inspect.getdoc(type(pass_)) or ""
            rules = pass_.rules if isinstance(pass_, RulePass) else ()
            listed = "".join(f"\n  {rule.name}: {_pattern(type(rule))}" for rule in rules)
            found[pass_.name] = f"{text}\n{listed}" if listed else text
    return found
