"""Control flow whose course is known while compiling: the body takes the operator's place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Node, Value
from nncomp.ops.control import If, Loop, Scan
from nncomp.ops.shape import Squeeze, Unsqueeze
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass
from nncomp.types import DType, TensorType, is_container

Given = Callable[[Builder], Value]
"""Gives what an input of a body is."""


class KnownBranch(Rule):
    """If with a constant condition → the nodes of that branch."""

    name = "known-branch"
    roots = (If,)

    def match(self, node: Node, facts: Facts) -> Answer:
        assert isinstance(node.op, If)
        condition = facts.constant(node.inputs[0])
        if condition is None:
            return None
        body = node.op.then_branch if condition.all() else node.op.else_branch
        return _inlined(node, body, _as_they_are(node.inputs[1:]), [*body.outputs.values()])


class KnownLength(Rule):
    """Scan of length 1 → the nodes of its body; what it stacks gets an axis of size 1."""

    name = "known-length"
    roots = (Scan,)

    def match(self, node: Node, facts: Facts) -> Answer:
        op = node.op
        assert isinstance(op, Scan)
        n = op.num_states
        first = node.inputs[n]
        if first is None or first.shape[op.input_places[0][0]] != 1:
            return None
        given = _as_they_are(node.inputs)
        for k, (axis, _) in enumerate(op.input_places, start=n):
            given[k] = _without(node.inputs[k], axis)
        axes = [*[None] * n, *(axis for axis, _ in op.output_places)]
        return _inlined(node, op.body, given, [*op.body.outputs.values()], axes)


class KnownRuns(Rule):
    """Loop of no run → the values that it is given; Loop of one run → the nodes of its body."""

    name = "known-runs"
    roots = (Loop,)

    def match(self, node: Node, facts: Facts) -> Answer:
        op = node.op
        assert isinstance(op, Loop)
        limit, going = (facts.constant(v) for v in node.inputs[:2])
        never = (limit is not None and limit.item() < 1) or (going is not None and not going.all())
        starts = node.inputs[1] is None or going is not None
        once = limit is not None and limit.item() == 1 and starts
        if not never and not once:
            return None
        if any(facts.reads[v] for v in node.outputs[op.num_states :]):
            return Refused("how often it runs is a size of what it stacks, which only it tells")
        states = node.inputs[2 : 2 + op.num_states]
        stacked = [None] * len(op.yields)
        if never:
            kept = [v for v in states if v is not None]
            why = _why_not(node, [v.type for v in kept])
            return Refused(why) if why else Replacement(lambda b: [*kept, *stacked])
        lead: list[Given] = [
            lambda b: b.constant(0, DType.I64),
            lambda b: b.constant(True, DType.BOOL),
        ]
        given = [*lead, *_as_they_are(node.inputs[2:])]
        return _inlined(node, op.body, given, [*op.next_states, *stacked])


def _as_they_are(values: Sequence[Value | None]) -> list[Given]:
    def given(value: Value | None) -> Given:
        assert value is not None
        return lambda b: value

    return [given(value) for value in values]


def _without(value: Value | None, axis: int) -> Given:
    assert value is not None
    return lambda b: b(Squeeze(), value, b.ints(axis))


def _inlined(
    node: Node,
    body: Body,
    given: Sequence[Given],
    results: Sequence[Value | None],
    axes: Sequence[int | None] = (),
) -> Answer:
    """The body's nodes in place of the node that runs it.

    results: values of the body, None for one that is not read
    axes: of size 1 that results get
    """
    axes = axes or [None] * len(results)
    types = [
        None if v is None else v.type if axis is None else _stacked(v.type, axis)
        for v, axis in zip(results, axes, strict=True)
    ]
    if why := _why_not(node, types):
        return Refused(why)

    def build(b: Builder) -> list[Value | None]:
        values = {inner: make(b) for inner, make in zip(body.inputs, given, strict=True)}
        for inner in body.nodes:
            inputs = tuple(None if v is None else values[v] for v in inner.inputs)
            origin = inner.origin.merged((), b.origin.history[-1])
            names = tuple(v.name for v in inner.outputs)
            types = tuple(v.type for v in inner.outputs)
            made = b.append(Node(inner.op, inputs, types, origin, names))
            values.update(zip(inner.outputs, made.outputs, strict=True))
        found = [None if v is None else values[v] for v in results]
        return [
            v if v is None or axis is None else b(Unsqueeze(), v, b.ints(axis))
            for v, axis in zip(found, axes, strict=True)
        ]

    return Replacement(build)


def _stacked(type_: TensorType, axis: int) -> TensorType:
    return type_.with_shape((*type_.shape[:axis], 1, *type_.shape[axis:]))


def _why_not(node: Node, types: Sequence[TensorType | None]) -> str | None:
    """A size that only the node tells cannot be told by others: results keep their types."""
    for value, type_ in zip(node.outputs, types, strict=False):
        if type_ is None or is_container(type_):
            continue
        same = zip(value.shape, type_.shape, strict=True)
        if any(equal(mine, other) is not True for mine, other in same):
            return f"its result is {value.type}, of which only it tells the sizes"
    return None


@dataclass(frozen=True)
class InlineBodies(RulePass):
    """If, Loop and Scan whose course is known → the nodes of the body that runs, once."""

    name = "inline-bodies"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return INLINING


INLINING: tuple[Rule, ...] = (KnownBranch(), KnownLength(), KnownRuns())
