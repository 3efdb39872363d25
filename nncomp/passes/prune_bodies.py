"""Bodies of control flow without what nobody reads, and with what is known inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nncomp.ir.constant import Constant
from nncomp.ir.graph import Body, Graph, Node, Rewrite, Value
from nncomp.ir.op import Op
from nncomp.ir.rebuild import remap
from nncomp.ops.control import If, Loop, Scan
from nncomp.passes.base import Pass, PassContext, PassResult

_RULE = "prune"
_COUNTED = ("drop-result", "merge-results", "drop-operand", "inline-constant", "merge-captures")


@dataclass(frozen=True)
class PruneBodies(Pass):
    """Of Scan, Loop and If:

    a result that nobody reads goes, and the state behind it, if only it itself depends on it;
    two results of a Scan that stack one value alike become one;
    a scanned tensor that the body does not read goes, and so does a capture;
    a capture of a constant becomes a constant of the body; two captures of one value become one
    """

    name = "prune-bodies"

    @property
    def rule_names(self) -> tuple[str, ...]:
        return _COUNTED

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        counts: Counter[str] = Counter()
        if any(node.op.bodies for node in graph.nodes):
            after = self._once(graph, context, counts)
            while after is not graph:  # what one body no longer takes, another need not give
                graph, after = after, self._once(after, context, counts)
        return PassResult(graph, dict(counts))

    def _once(self, graph: Graph, context: PassContext, counts: Counter[str]) -> Graph:
        """The graph with each body pruned; the very graph, if nothing is to be pruned."""
        read = {v for node in graph.nodes for v in node.operands} | set(graph.results)
        values: dict[Value, Value] = {}
        before = counts.total()
        nodes = []
        for node in graph.nodes:
            new = remap(node, values)
            if node.op.bodies:
                found: Counter[str] = Counter()
                moved: dict[Value, Value] = {}
                pruned = _Pruning(new, [v in read for v in node.outputs]).run(found, moved)
                if found and not context.allows(_RULE, new):
                    nodes.append(new)
                    continue
                counts.update(found)
                values.update(moved)
                for old, inner in zip(node.outputs, new.outputs, strict=True):
                    if inner in values:  # of a node that was rebuilt before it was pruned
                        values[old] = values[inner]
                new = pruned
            nodes.append(new)
        return graph.replace(nodes, values) if counts.total() > before else graph


class _Pruning:
    """One node. Inputs and outputs of its bodies are known by number."""

    def __init__(self, node: Node, read: Sequence[bool]) -> None:
        self.node = node
        self.op = node.op
        self.read = list(read)
        op = node.op
        self.states = op.num_states if isinstance(op, Scan | Loop) else 0
        self.fixed = 2 if isinstance(op, Loop) else 0  # iteration and condition
        self.lead = 1 if isinstance(op, Loop) else 0  # results of the body that are no results
        self.shift = 1 if isinstance(op, If) else 0  # operands before the bodies' inputs

    def run(self, counts: Counter[str], values: dict[Value, Value]) -> Node:
        """The pruned node; the very node, if nothing is to be pruned."""
        if not any(self.read):
            return self.node
        merged = self._merge_results(counts)
        bodies = list(self.op.bodies)
        kept_results = self._live(bodies[0])
        bodies = [self._with_known(body, counts) for body in bodies]
        outputs = [k for k in range(self.lead + len(self.read)) if k in kept_results]
        inputs = self._kept_inputs(bodies, kept_results)
        dropped_results = self.lead + len(self.read) - len(outputs)
        dropped_inputs = len(bodies[0].inputs) - len(inputs)
        if dropped_results:
            counts["drop-result"] += dropped_results
        if dropped_inputs:
            counts["drop-operand"] += dropped_inputs
        changed = any(new is not old for new, old in zip(bodies, self.op.bodies, strict=True))
        if not dropped_results and not dropped_inputs and not changed:
            return self.node
        node = self._rebuilt(bodies, inputs, outputs, values)
        values.update((twice, values[once]) for twice, once in merged.items())
        return node

    def _merge_results(self, counts: Counter[str]) -> dict[Value, Value]:
        """Results that are stacked twice, as if the second were not read; by it the first."""
        merged: dict[Value, Value] = {}
        if not isinstance(self.op, Scan):
            return merged
        first: dict[tuple[Value, tuple[int, int]], int] = {}
        stacked = zip(self.op.yields, self.op.output_places, strict=True)
        for k, key in enumerate(stacked, start=self.states):
            other = first.setdefault(key, k)
            if other != k and self.read[k]:
                merged[self.node.outputs[k]] = self.node.outputs[other]
                self.read[other], self.read[k] = True, False
                counts["merge-results"] += 1
        return merged

    def _live(self, body: Body) -> set[int]:
        """The numbers of the body's outputs that lead to a result which is read."""
        outputs = list(body.outputs.values())
        live = set(range(self.lead)) | {self.lead + k for k, on in enumerate(self.read) if on}
        if isinstance(self.op, If):
            return live
        while True:
            needed = _needed(body, [outputs[k] for k in live])
            more = {
                self.lead + k
                for k in range(self.states)
                if body.inputs[self.fixed + k] in needed and self.lead + k not in live
            }
            if not more:
                return live
            live |= more

    def _with_known(self, body: Body, counts: Counter[str]) -> Body:
        """Captured constants inside, each value captured once."""
        first = len(body.inputs) - body.captures
        values: dict[Value, Value] = {}
        constants: list[Node] = []
        seen: dict[Value, Value] = {}
        inside = {node for node in body.nodes if isinstance(node.op, Constant)}
        reads = _needed(body, list(body.outputs.values()))
        captured = self.node.inputs[len(self.node.inputs) - body.captures :]
        for inner, outer in zip(body.inputs[first:], captured, strict=True):
            if outer is None or inner not in reads:
                continue
            if outer.node is not None and isinstance(outer.node.op, Constant):
                values[inner] = outer
                if outer.node not in inside:
                    inside.add(outer.node)
                    constants.append(outer.node)
                counts["inline-constant"] += 1
            elif outer in seen:
                values[inner] = seen[outer]
                counts["merge-captures"] += 1
            else:
                seen[outer] = inner
        if not values:
            return body
        nodes = [*constants, *(remap(node, values) for node in body.nodes)]
        new = body.replace(nodes, values)
        assert isinstance(new, Body)
        return new

    def _kept_inputs(self, bodies: Sequence[Body], results: set[int]) -> list[int]:
        """Numbers of the inputs that stay, of all bodies alike."""
        read: set[int] = set()
        for body in bodies:
            outputs = list(body.outputs.values())
            needed = _needed(body, [outputs[k] for k in results])
            read |= {i for i, value in enumerate(body.inputs) if value in needed}
        kept = set(range(self.fixed)) | read
        kept -= set(range(self.fixed, self.fixed + self.states))
        kept |= {self.fixed + k for k in range(self.states) if self.lead + k in results}
        if isinstance(self.op, Scan):
            scanned = range(self.states, self.states + self.op.num_scan_inputs)
            if not any(i in kept for i in scanned):
                kept.add(scanned[0])
        return sorted(kept)

    def _rebuilt(
        self,
        bodies: Sequence[Body],
        inputs: Sequence[int],
        outputs: Sequence[int],
        values: dict[Value, Value],
    ) -> Node:
        old = bodies[0]
        first_capture = len(old.inputs) - old.captures
        captures = sum(i >= first_capture for i in inputs)
        new_bodies = []
        for body in bodies:
            items = list(body.outputs.items())
            new = replace(
                body,
                inputs=tuple(body.inputs[i] for i in inputs),
                outputs=dict(items[k] for k in outputs),
                captures=captures,
            )
            needed = _needed(new, list(new.outputs.values()))
            nodes = tuple(n for n in new.nodes if any(v in needed for v in n.outputs))
            new_bodies.append(replace(new, nodes=nodes) if len(nodes) < len(new.nodes) else new)
        operands = [*self.node.inputs[: self.shift]]
        operands += [self.node.inputs[self.shift + i] for i in inputs]
        results = [k - self.lead for k in outputs if k >= self.lead]
        op = self._op(new_bodies, inputs, results)
        origin = self.node.origin.merged((), Rewrite(PruneBodies.name, _RULE))
        types = tuple(self.node.outputs[k].type for k in results)
        names = tuple(self.node.outputs[k].name for k in results)
        new_node = Node(op, tuple(operands), types, origin, names)
        for k, value in zip(results, new_node.outputs, strict=True):
            values[self.node.outputs[k]] = value
        return new_node

    def _op(self, bodies: Sequence[Body], inputs: Sequence[int], results: Sequence[int]) -> Op:
        op = self.op.with_bodies(bodies)
        if not isinstance(op, Scan) or not isinstance(self.op, Scan):
            return op
        n, m = self.states, self.op.num_scan_inputs
        scanned = [i - n for i in inputs if n <= i < n + m]
        yields = [k - n for k in results if k >= n]
        return replace(
            op,
            num_scan_inputs=len(scanned),
            scan_input_axes=_picked(self.op.scan_input_axes, scanned),
            scan_input_directions=_picked(self.op.scan_input_directions, scanned),
            scan_output_axes=_picked(self.op.scan_output_axes, yields),
            scan_output_directions=_picked(self.op.scan_output_directions, yields),
        )


def _picked(places: tuple[int, ...] | None, which: Sequence[int]) -> tuple[int, ...] | None:
    if places is None or not any(places[i] for i in which):
        return None
    return tuple(places[i] for i in which)


def _needed(body: Body, results: Sequence[Value]) -> set[Value]:
    """The results and all that they depend on in the body."""
    needed = set(results)
    for node in reversed(body.nodes):
        if any(v in needed for v in node.outputs):
            needed.update(node.operands)
    return needed
