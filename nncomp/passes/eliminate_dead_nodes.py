"""Dead code: nodes whose results nobody reads."""

from __future__ import annotations

from dataclasses import dataclass

from nncomp.ir.graph import Graph
from nncomp.passes.base import Pass, PassContext, PassResult

_RULE = "remove-unread"


@dataclass(frozen=True)
class EliminateDeadNodes(Pass):
    """A node goes if no output or update of the graph depends on it. Inputs and parameters stay."""

    name = "eliminate-dead-nodes"

    @property
    def rule_names(self) -> tuple[str, ...]:
        return (_RULE,)

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        needed = set(graph.results)
        live = []
        for node in reversed(graph.nodes):
            read = not needed.isdisjoint(node.outputs)
            if read or not context.allows(_RULE, node):
                needed.update(node.operands)
                live.append(node)
        removed = len(graph.nodes) - len(live)
        if not removed:
            return PassResult(graph)
        return PassResult(graph.replace(reversed(live)), {_RULE: removed})
