"""The graph: SSA values and nodes in topological order. Graphs, nodes and values are immutable
and shared between graphs; a pass that changes nothing returns the graph it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, cast

from nncomp.dims import DimLike
from nncomp.ir.drawn import Drawn
from nncomp.ir.obligation import Obligation
from nncomp.ir.op import Op
from nncomp.records import record
from nncomp.source import Span
from nncomp.types import TensorType

MAX_SPANS = 64  # of one node: a thousand nodes merged into one need not name a thousand places


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One step in a node's history: which rule of which pass made it."""

    pass_name: str
    rule: str

    def __str__(self) -> str:
        return f"{self.pass_name}/{self.rule}"


RECOMPUTED = "rematerialize"
"""The pass whose nodes repeat others to save memory: nobody may merge them again."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node comes from.

    spans: source characters, innermost first within one call chain
    scope: path of the block instance that it belongs to (`layer1.0.conv1`), "" for the model
    history: the rewrites that made it, oldest first
    """

    spans: tuple[Span, ...] = ()
    scope: str = ""
    history: tuple[Rewrite, ...] = ()

    def merged(self, others: Iterable[Origin], rewrite: Rewrite) -> Origin:
        """The origin of a node that replaces this one and `others` by `rewrite`. Of more than
        `MAX_SPANS` places the first are kept."""
        spans, history = dict.fromkeys(self.spans), dict.fromkeys(self.history)
        for other in others:
            if len(spans) < MAX_SPANS:
                spans.update(dict.fromkeys(other.spans))
            history.update(dict.fromkeys(other.history))
        history[rewrite] = None
        return Origin(tuple(spans)[:MAX_SPANS], self.scope, tuple(history))


NOWHERE = Origin()


class Value:
    """One tensor: a graph's input or parameter (node is None) or a node's output.

    name is a hint for printing; identity is the object.
    """

    __slots__ = ("index", "name", "node", "type")

    def __init__(
        self, type: TensorType, name: str = "", node: Node | None = None, index: int = 0
    ) -> None:
        self.type = type
        self.name = name
        self.node = node
        self.index = index

    @property
    def shape(self) -> tuple[DimLike, ...]:
        return self.type.shape

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    def __repr__(self) -> str:
        return f"<{self.name or '_'}: {self.type}>"


class Node:
    """An operator applied to values.

    operands: the inputs that are present
    """

    __slots__ = ("inputs", "op", "operands", "origin", "outputs")

    def __init__(
        self,
        op: Op,
        inputs: tuple[Value | None, ...],
        types: tuple[TensorType, ...],
        origin: Origin = NOWHERE,
        names: tuple[str, ...] = (),
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.operands: tuple[Value, ...] = (
            tuple(v for v in inputs if v is not None)
            if None in inputs
            else cast("tuple[Value, ...]", inputs)
        )
        self.origin = origin
        self.outputs = tuple(
            [Value(t, names[i] if i < len(names) else "", self, i) for i, t in enumerate(types)]
        )

    def __repr__(self) -> str:
        return f"<{self.op.name} {', '.join(map(repr, self.outputs))}>"


ParameterKind = Literal["param", "buffer", "state"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """State that outlives a run: learnt (`param`), kept by a block (`buffer`), kept by an
    optimiser (`state`). `path` is its name in weights files."""

    path: str
    value: Value
    kind: ParameterKind


@record
class Graph(Drawn):
    """A function from inputs and parameters to outputs and next parameter values.

    inputs:     given at each run, named; rank-0 hyperparameters among them have `defaults`
    parameters: known before the run
    nodes:      topologically ordered
    outputs:    by name
    updates:    next values of parameters, by path
    obligations: conditions on dims that the inputs' shapes decide, to be checked before a run
    """

    name: str
    inputs: tuple[Value, ...]
    parameters: tuple[Parameter, ...]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Value]
    updates: Mapping[str, Value] = field(default_factory=dict)
    defaults: Mapping[str, int | float] = field(default_factory=dict)
    obligations: tuple[Obligation, ...] = ()

    @property
    def results(self) -> Iterator[Value]:
        """Everything that must be computed: outputs, then updates."""
        yield from self.outputs.values()
        yield from self.updates.values()

    @cached_property
    def uses(self) -> Mapping[Value, tuple[Node, ...]]:
        """For each value the nodes that read it, once per operand place."""
        found: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in node.operands:
                found.setdefault(value, []).append(node)
        return {value: tuple(nodes) for value, nodes in found.items()}

    @cached_property
    def kinds(self) -> frozenset[type[Op]]:
        """The operators in it, those in bodies not among them."""
        return frozenset([type(node.op) for node in self.nodes])

    @cached_property
    def holders(self) -> tuple[Node, ...]:
        """The nodes that have bodies."""
        return tuple([node for node in self.nodes if node.op.bodies])

    @cached_property
    def reads(self) -> Mapping[Value, int]:
        """How many operand places and results read each value that is read."""
        reads: dict[Value, int] = {}
        for node in self.nodes:
            for value in node.operands:
                reads[value] = reads.get(value, 0) + 1
        for value in self.results:
            reads[value] = reads.get(value, 0) + 1
        return reads

    @cached_property
    def result_values(self) -> frozenset[Value]:
        return frozenset(self.results)

    def use_count(self, value: Value) -> int:
        """How many operand places and results read the value."""
        reads = len(self.uses.get(value, ()))
        if value in self.result_values:
            reads += sum(v is value for v in self.results)
        return reads

    def replace(self, nodes: Iterable[Node], values: Mapping[Value, Value] | None = None) -> Graph:
        """The graph with other nodes; `values` maps replaced values for outputs and updates."""
        values = values or {}
        return replace(
            self,
            nodes=tuple(nodes),
            outputs={name: values.get(v, v) for name, v in self.outputs.items()},
            updates={path: values.get(v, v) for path, v in self.updates.items()},
        )


@record
class Body(Graph):
    """What `Scan`, `Loop` and `If` run: a closed graph, an attribute of its operator.

    inputs:   what the operator gives it (states, elements), then the captures
    captures: how many of the last inputs are values of the graph around, the same in each run;
              the operator's last operands. An emitter makes them outer-scope references.

    It has no parameters, updates or obligations. The dims in it are those of the outermost inputs,
    and symbols of its own for sizes that change from run to run.
    """

    captures: int = 0
