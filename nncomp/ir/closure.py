"""Closing bodies: values of the graph around become captures, what does not vary goes outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from nncomp.dims import Symbol, symbols_in
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Body, Node, Value
from nncomp.ir.live import live_among
from nncomp.ir.naming import Names
from nncomp.ir.rebuild import ancestors, remap


def close(
    name: str,
    inputs: Sequence[Value],
    nodes: Iterable[Node],
    outputs: Mapping[str, Value],
    *,
    outer: Builder | None = None,
    local: frozenset[Symbol] = frozenset(),
) -> tuple[Body, tuple[Value, ...]]:
    """A body and the values that it captures, in the order of its last inputs.

    inputs: what each run is given
    nodes: may read inputs, each other's results and values of the graph around
    outer: where pure nodes go that read neither inputs nor what depends on them, so that they are
        computed once (left out for a branch, which may never run)
    local: symbols for sizes that differ between runs
    """
    return _Closing(inputs, outer, local).close(name, nodes, outputs)


def with_captures(body: Body, captured: Sequence[Value], wanted: Sequence[Value]) -> Body:
    """The body with captures of all of `wanted`, in their order: what it captures already, and
    further ones that it does not read."""
    first = len(body.inputs) - body.captures
    own = dict(zip(captured, body.inputs[first:], strict=True))
    names = Names(v.name for v in body.inputs)
    captures = [
        own[v] if v in own else Value(v.type, names.fresh(v.name or "outer")) for v in wanted
    ]
    return replace(body, inputs=(*body.inputs[:first], *captures), captures=len(captures))


class _Closing:
    def __init__(
        self, inputs: Sequence[Value], outer: Builder | None, local: frozenset[Symbol]
    ) -> None:
        self.inputs = inputs
        self.outer = outer
        self.local = local
        self.inner: set[Value] = set(inputs)  # what there is inside
        self.body: list[Node] = []
        self.values: dict[Value, Value] = {}  # inside: what is read instead
        self.moved: dict[Value, Value] = {}  # outside: results of nodes that went there
        self.captured: dict[Value, Value] = {}
        self.constants: dict[Node, None] = {}
        self.names = Names(())

    def close(
        self, name: str, nodes: Iterable[Node], outputs: Mapping[str, Value]
    ) -> tuple[Body, tuple[Value, ...]]:
        for value in self.inputs:
            value.name = self.names.fresh(value.name or "x")
        live, copies, values = with_paths(
            live_among(nodes, outputs.values()), self.inputs, all_stay=self.outer is None
        )
        outputs = {key: values.get(value, value) for key, value in outputs.items()}
        for node in live:
            if isinstance(node.op, Constant):
                self.constants[node] = None
            elif self.outer is not None and node not in copies and self._is_invariant(node):
                self._move_out(node, self.outer)
            else:
                self._keep(node)
        results = {key: self._inside(value) for key, value in outputs.items()}
        body = Body(
            name,
            (*self.inputs, *self.captured.values()),
            (),
            (*self.constants, *self.body),
            {key: self.values.get(value, value) for key, value in results.items()},
            captures=len(self.captured),
        )
        return body, tuple(self.captured)

    def _is_invariant(self, node: Node) -> bool:
        op = node.op
        if isinstance(op, Dims):
            symbols = symbols_in(op.dims)
            return symbols.isdisjoint(self.local)
        return op.pure and not any(v in self.inner for v in node.operands)

    def _move_out(self, node: Node, outer: Builder) -> None:
        if isinstance(node.op, Dims):
            self.moved[node.outputs[0]] = outer.dims(node.op.dims)
            return
        for value in node.operands:
            if value.node in self.constants and value not in self.moved:
                assert value.node is not None
                op = value.node.op
                assert isinstance(op, Constant)
                self.moved[value] = outer.constant(op.value.array, name=value.name)
        new = outer.append(remap(node, self.moved))
        self.moved.update(zip(node.outputs, new.outputs, strict=True))

    def _keep(self, node: Node) -> None:
        for value in node.operands:
            self._inside(value)
        new = remap(node, self.values)
        self.body.append(new)
        self.inner.update(node.outputs)

    def _inside(self, value: Value) -> Value:
        """Makes a value readable inside: as it is, as a constant, or as a capture."""
        if value in self.inner or value in self.values:
            return value
        if value.node is not None and isinstance(value.node.op, Constant):
            self.constants[value.node] = None
            return value
        outside = self.moved.get(value, value)
        if outside not in self.captured:
            self.captured[outside] = Value(outside.type, self.names.fresh(outside.name or "outer"))
        self.values[value] = self.captured[outside]
        return value


def with_paths(
    nodes: Sequence[Node], inputs: Iterable[Value], *, all_stay: bool
) -> tuple[list[Node], set[Node], dict[Value, Value]]:
    """Nodes of a body whose derivatives can be taken there: before one that stays in it stand
    copies of all nodes that lead from what it is taken with respect to, also of those of the graph
    around, which a body that captures their results would not see. The nodes, the copies among
    them, and what stands for results that are no more.

    all_stay: whether what does not vary stays too
    """
    varying = set(inputs)
    found: list[Node] = []
    copies: set[Node] = set()
    values: dict[Value, Value] = {}
    for node in nodes:
        node = remap(node, values)
        if all_stay or not node.op.pure or not varying.isdisjoint(node.operands):
            varying.update(node.outputs)
            path = _path(node)
            if any(varying.isdisjoint(n.outputs) for n in path):
                inside: dict[Value, Value] = {}
                for step in (*path, node):
                    found.append(_copied(step, inside))
                copies.update(found[-len(path) - 1 :])
                values.update(zip(node.outputs, found[-1].outputs, strict=True))
                continue
        found.append(node)
    return found, copies, values


def _path(node: Node) -> list[Node]:
    """The nodes between what a derivative is taken with respect to and what it is of."""
    if node.op.with_respect_to is None:
        return []
    leads = set(node.operands[node.op.with_respect_to])
    path = []
    for step in ancestors(node.operands[0]):
        if not leads.isdisjoint(step.operands):
            leads.update(step.outputs)
            path.append(step)
    return path


def _copied(node: Node, values: dict[Value, Value]) -> Node:
    inputs = tuple(None if v is None else values.get(v, v) for v in node.inputs)
    types, names = zip(*((v.type, v.name) for v in node.outputs), strict=True)
    new = Node(node.op, inputs, types, node.origin, names)
    values.update(zip(node.outputs, new.outputs, strict=True))
    return new
