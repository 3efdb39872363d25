"""Rewriting by rules: one linear sweep over the nodes, from inputs to outputs.

A rule looks at one node, the last of the nodes that it would replace, and up from there. What it
builds is looked at by the rules too, so that a sweep leaves nothing that a rule would still
change. Nodes that nobody reads any more go at once, so that "has one reader" always means the
graph as it is by now. Nodes that do not change are shared with the graph given.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from nncomp.dims import Dim, Symbol, equal
from nncomp.errors import CompileError, error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ir.op import Op
from nncomp.ir.rebuild import remap
from nncomp.passes.base import Pass, PassContext, PassResult, Refusal, Rewritten
from nncomp.types import Array

Build = Callable[[Builder], Value | Sequence[Value | None]]

_SMALL = 1 << 18  # numbers of a tensor that is computed to answer a question


@dataclass(frozen=True)
class Replacement:
    """What stands in for a node.

    build: gives the value for the node's result, or one for each (None: only where it is unread)
    nodes: all nodes that it replaces; the first gives the scope (default: the matched one)
    """

    build: Build
    nodes: tuple[Node, ...] = ()


def by_node(op: Op, inputs: Sequence[Value | None], *nodes: Node) -> Replacement:
    """The replacement by one operator on values that are there."""
    return Replacement(lambda b: b(op, *inputs), nodes)


def by_value(value: Value, *nodes: Node) -> Replacement:
    """The replacement by a value that is there."""
    return Replacement(lambda b: value, nodes)


@dataclass(frozen=True)
class Refused:
    """A rule's answer where it nearly matched: the reason, in plain words."""

    reason: str


Answer = Replacement | Refused | None


class Rule:
    """One rewrite. `roots` are the operators that it may match at (all of them if it is empty),
    `name` is kebab-case.

    The class docstring states the algebra. Rules hold no state of a run.
    """

    name: ClassVar[str]
    roots: ClassVar[tuple[type[Op], ...]] = ()

    def match(self, node: Node, facts: Facts) -> Answer:
        """A replacement, a reason against it, or None where the pattern is not there."""
        raise NotImplementedError(f"{self.name} matches nothing")


class Facts:
    """What rules may ask about values of the graph as it is by now.

    kinds: the operators of the graph as it was given
    """

    def __init__(self, graph: Graph, context: PassContext) -> None:
        self.context = context
        self._graph = graph
        self.kinds = graph.kinds
        self.reads: Counter[Value] = Counter(graph.reads)
        self.results: set[Value] = set(graph.results)
        self.known: set[Value] = {p.value for p in graph.parameters if p.path not in graph.updates}
        self._given: dict[Value, list[Value]] = {}  # values that stand for others of the graph
        self._arrays: dict[Value, Array | None] = {}  # what was computed, None where it cannot be

    def readers(self, value: Value) -> list[tuple[Node, int]]:
        """Who read the value, and at which place, in the graph as it was given. They may be
        written otherwise by now, but compute the same."""
        uses = self._graph.uses
        return [
            (node, place)
            for given in self._given.get(value, (value,))
            for node in dict.fromkeys(uses.get(given, ()))
            for place, operand in enumerate(node.inputs)
            if operand is given
        ]

    @cached_property
    def known_at_first(self) -> frozenset[Value]:
        """What is the same in every run, of the graph as it was given."""
        facts = Facts(self._graph, self.context)
        for node in self._graph.nodes:
            facts.note(node)
        return frozenset(facts.known)

    def stands_for(self, new: Value, old: Value) -> None:
        """Records that one value takes the place of another, too."""
        self._given.setdefault(new, [new]).extend(self._given.get(old, (old,)))

    @cached_property
    def found(self) -> frozenset[Symbol]:
        """The symbols of sizes that only a node of the graph tells, when it runs."""
        return frozenset(
            symbol
            for node in self._graph.nodes
            if node.op.open_sizes or node.op.bodies
            for value in node.outputs
            for dim in value.shape
            if isinstance(dim, Dim)
            for symbol in dim.symbols()
        ) - {
            symbol
            for value in self._graph.inputs
            for dim in value.shape
            if isinstance(dim, Dim)
            for symbol in dim.symbols()
        }

    def is_known(self, value: Value | None) -> bool:
        """Whether the value is the same in every run: it depends on constants and parameters."""
        return value in self.known

    def constant(self, value: Value | None) -> Array | None:
        """The array, if the value is a constant."""
        if value is None or value.node is None or not isinstance(value.node.op, Constant):
            return None
        return value.node.op.value.array

    def computed(self, make: Callable[[Builder], Value | None]) -> Array | None:
        """What nodes on constants give, without adding them; None where that cannot be told.

        They may read what a rule has built on constants: it is computed, too, since it will be
        one array once constants are folded, and a rule must not answer otherwise then.
        """
        b = Builder()
        wanted = make(b)
        return None if wanted is None else self._computed(wanted, frozenset(b.nodes))

    def _computed(self, wanted: Value, made: frozenset[Node]) -> Array | None:
        arrays = self._arrays
        pending = [wanted]
        while pending:
            value = pending[-1]
            node = value.node
            if value in arrays or node is None or not (node in made or value in self.known):
                arrays.setdefault(value, None)
                pending.pop()
            elif isinstance(node.op, Constant):
                arrays[value] = node.op.value.array
            elif missing := [v for v in node.operands if v not in arrays]:
                pending += missing
            else:
                arrays.update((v, None) for v in node.outputs)
                arrays.update(zip(node.outputs, self._evaluated(node), strict=False))
        return arrays[wanted]

    def _evaluated(self, node: Node) -> tuple[Array, ...]:
        given = [v if v is None else self._arrays[v] for v in node.inputs]
        types = [v.type for v in node.outputs]
        if self.context.evaluate is None or not node.op.pure or node.op.bodies:
            return ()
        if any(v is not None and a is None for v, a in zip(node.inputs, given, strict=True)):
            return ()
        if not all(type_.is_static and math.prod(type_.static_shape) <= _SMALL for type_ in types):
            return ()
        try:
            return self.context.evaluate(node.op, given)
        except CompileError:
            return ()

    def why_not_private(self, value: Value) -> str | None:
        """None if one operand place is all that reads the value, else who else does."""
        if value in self.results:
            return "its result is an output of the graph"
        others = self.reads[value] - 1
        if others > 0:
            return f"its result has {others} other reader{'s' if others > 1 else ''}"
        return None

    def note(self, node: Node) -> None:
        """Records what is known of a node's results, once those of its operands are."""
        for value in node.operands:
            if value not in self.known:
                return
        op = node.op
        if op.pure and (not isinstance(op, Dims) or all(isinstance(d, int) for d in op.dims)):
            self.known.update(node.outputs)


@dataclass(frozen=True)
class _Bind:
    """After what replaces a node has been visited: where its results are read from now on."""

    values: tuple[tuple[Value, ...], ...]
    by: tuple[Value | None, ...]


class Sweep:
    """One run of rules over a graph."""

    def __init__(
        self, pass_name: str, rules: Sequence[Rule], graph: Graph, context: PassContext
    ) -> None:
        self.pass_name = pass_name
        self.graph = graph
        self.facts = Facts(graph, context)
        self.counts: Counter[str] = Counter()
        self.refusals: list[Refusal] = []
        self.rewrites: list[Rewritten] = []
        self._rules = rules
        self._rules_at: dict[type[Op], list[Rule]] = {}
        self._b = Builder()
        self._values: dict[Value, Value] = {}
        self._emitted: dict[Node, None] = {}
        self._built: set[Node] = set()
        self._dead: set[Node] = set()

    def run(self) -> PassResult:
        """The graph given itself, if no rule fires."""
        for node in self.graph.nodes:
            queue: deque[Node | _Bind] = deque(self._visit(node))
            while queue:
                item = queue.popleft()
                if isinstance(item, _Bind):
                    self._bind(item)
                else:
                    queue.extendleft(reversed(self._visit(item)))
        refusals = tuple(self.refusals)
        if not self.counts:
            return PassResult(self.graph, {}, refusals)
        nodes = (node for node in self._emitted if node not in self._dead)
        graph = self.graph.replace(nodes, self._values)
        return PassResult(graph, dict(self.counts), refusals, tuple(self.rewrites))

    def _visit(self, node: Node) -> list[Node | _Bind]:
        """Emits the node, or gives what is to be visited in its place."""
        new = remap(node, self._values)
        if new is not node:
            for old_value, new_value in zip(node.outputs, new.outputs, strict=True):
                self._move(old_value, new_value)
        self._emitted[new] = None
        if node in self._built and not any(self.facts.reads[v] for v in new.outputs):
            self._bury(new)
            return []
        refused = []
        for rule in self._rules_for(type(new.op)):
            answer = rule.match(new, self.facts)
            if isinstance(answer, Replacement):
                if not self.facts.context.allows(rule.name, new, *answer.nodes):
                    self._rules_at, self._rules = {}, ()
                    break
                return self._replace(node, new, rule, answer)
            if isinstance(answer, Refused):
                refused.append(Refusal(rule.name, new, answer.reason))
        self.refusals += refused
        self.facts.note(new)
        return []

    def _rules_for(self, kind: type[Op]) -> list[Rule]:
        if kind not in self._rules_at:
            self._rules_at[kind] = [r for r in self._rules if not r.roots or kind in r.roots]
        return self._rules_at[kind]

    def _replace(
        self, node: Node, new: Node, rule: Rule, replacement: Replacement
    ) -> list[Node | _Bind]:
        self.counts[rule.name] += 1
        nodes = replacement.nodes or (new,)
        origin = nodes[0].origin.merged(
            [n.origin for n in nodes[1:]], Rewrite(self.pass_name, rule.name)
        )
        with self._b.at(origin):
            answer = replacement.build(self._b)
        built, self._b.nodes = self._b.nodes, []
        self._built.update(built)
        self.rewrites.append(Rewritten(rule.name, nodes, tuple(built)))
        for made in built:
            for value in made.operands:
                self._read(value)
        results = (answer,) if isinstance(answer, Value) else tuple(answer)
        for old, result in zip(new.outputs, results, strict=True):
            if result is None:
                if self.facts.reads[old]:
                    raise self._wrong(rule, new, "drops a result that is read")
                continue
            if not _same_type(old, result):
                raise self._wrong(rule, new, f"makes {result.type} of {old.type}")
            if result.node in built and not result.name:
                result.name = old.name
            self._revive(result)
            self._move(old, result)
        self._bury(new)
        return [*built, _Bind((node.outputs, new.outputs), results)]

    def _wrong(self, rule: Rule, node: Node, what: str) -> CompileError:
        span = node.origin.spans[0] if node.origin.spans else None
        return error("NN0701", f"{self.pass_name}/{rule.name} {what} at {node.op.name}", span)

    def _bind(self, bind: _Bind) -> None:
        by = [v if v is None else self._values.get(v, v) for v in bind.by]
        for values in bind.values:
            self._values.update((old, v) for old, v in zip(values, by, strict=True) if v)

    def _move(self, old: Value, new: Value) -> None:
        """All that reads `old` reads `new`."""
        facts = self.facts
        facts.stands_for(new, old)
        facts.reads[new] += facts.reads.pop(old, 0)
        if old in facts.results:
            facts.results.remove(old)
            facts.results.add(new)

    def _read(self, value: Value) -> None:
        self._revive(value)
        self.facts.reads[value] += 1

    def _revive(self, value: Value) -> None:
        """Takes back a shared constant that had lost its last reader."""
        if value.node in self._dead:
            assert not value.node.inputs, "only nodes without operands come back"
            self._dead.discard(value.node)

    def _bury(self, node: Node) -> None:
        """Removes the node, and what is unread without it."""
        pending = [node]
        while pending:
            dead = pending.pop()
            self._dead.add(dead)
            for value in dead.operands:
                self.facts.reads[value] -= 1
                above = value.node
                if above is None or above in self._dead:
                    continue
                if not any(self.facts.reads[v] for v in above.outputs):
                    pending.append(above)


def _same_type(old: Value, new: Value) -> bool:
    return (
        old.type.dtype is new.type.dtype
        and old.rank == new.rank
        and all(equal(a, b) is not False for a, b in zip(old.shape, new.shape, strict=True))
    )


@dataclass(frozen=True)
class RulePass(Pass):
    """A pass that is one sweep of rules."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """In order of precedence."""
        raise NotImplementedError(f"{self.name} has no rules")

    @property
    def rule_names(self) -> tuple[str, ...]:
        return tuple(rule.name for rule in self.rules)

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        if all(rule.roots and graph.kinds.isdisjoint(rule.roots) for rule in self.rules):
            return PassResult(graph)
        return Sweep(self.name, self.rules, graph, context).run()
