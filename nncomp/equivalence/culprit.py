"""Which rewrite of a pass changes an answer: bisection over how many it may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nncomp.errors import CompileError
from nncomp.ir.graph import Graph
from nncomp.ir.verify import verify
from nncomp.passes.base import Evaluate, Held, Limit, Pass, PassContext, PassResult
from nncomp.passes.manager import run_everywhere


@dataclass(frozen=True)
class Culprit:
    """The first rewrite that changes an answer.

    rule: its name; rewrites: how many the pass does before it
    graph: the graph right before it; held: its nodes there, None for a pass that takes no limit
    broken: whether it does not even leave a valid graph
    """

    rule: str
    rewrites: int
    graph: Graph
    held: Held | None
    broken: bool = False


def apply_pass(
    pass_: Pass, graph: Graph, evaluate: Evaluate, limit: Limit | None = None
) -> PassResult:
    """The pass on a graph and its bodies, with at most so many rewrites. Raises CompileError
    NN0701 if that leaves a graph that is not valid."""
    result = run_everywhere(pass_, graph, PassContext(evaluate, limit))
    if result.graph is not graph:
        verify(result.graph, before=graph)
    return result


def find_culprit(
    pass_: Pass, graph: Graph, evaluate: Evaluate, changes: Callable[[Graph], bool]
) -> Culprit:
    """The rewrite up to which answers stay, with which they change.

    changes: whether a graph's answers differ from those of `graph`; they do for the pass's result,
        unless it is not valid
    """

    def limited(count: int) -> PassResult | None:
        try:
            return apply_pass(pass_, graph, evaluate, Limit(count))
        except CompileError:
            return None

    try:
        whole = apply_pass(pass_, graph, evaluate)
        most = sum(whole.counts.values())
    except CompileError:
        whole, most = None, 1
        while most < len(graph.nodes) * 8 and limited(most) is not None:
            most *= 2
    good, bad, after = 0, most, whole
    before = limited(0)
    if (
        before is None or any(before.counts.values()) or not bad
    ):  # it asks for no leave, or counts nothing
        rules = {} if whole is None else whole.counts
        return Culprit(_grown({}, rules), 0, graph, None, broken=whole is None)
    while bad - good > 1:
        middle = (good + bad) // 2
        result = limited(middle)
        if result is None or changes(result.graph):
            bad, after = middle, result
        else:
            good, before = middle, result
    limit = Limit(good)
    before = apply_pass(pass_, graph, evaluate, limit)
    rule = "" if after is None else _grown(before.counts, after.counts)
    if not rule and limit.held is not None:
        rule = limit.held.rule
    return Culprit(rule, good, before.graph, limit.held, broken=after is None)


def _grown(few: Mapping[str, int], more: Mapping[str, int]) -> str:
    """The rules that fire more often in the second."""
    return ", ".join(rule for rule, times in more.items() if times > few.get(rule, 0))
