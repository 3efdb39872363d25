"""Faults in control flow whose course is known."""

from __future__ import annotations

from typing import Any

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Relu, Tanh
from nncomp.ops.control import If
from nncomp.ops.control_building import Values, add_if, add_loop, add_recurrence
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mul
from nncomp.passes import inline_bodies
from nncomp.passes.inline_bodies import KnownBranch, KnownRuns
from nncomp.passes.rewrite import Answer, Facts
from nncomp.types import DType
from tests.passes.broken.fault import Fault, Match, start
from tests.passes.support import Net


def branch(net: Net) -> Value:
    one, other, x = Builder(), Builder(), start(net, 4, 3)
    results = one(Tanh(), x), other(Relu(), x)
    condition = net.const(True, DType.BOOL)
    return add_if(net.b, condition, (one.nodes, other.nodes), [results])[0]


def loop(net: Net) -> Value:
    def step(b: Builder, number: Value, states: Values) -> Values:
        return [b(Add(), b(Mul(), states[0], 2.0), b(Cast(DType.F32), number))]

    return add_loop(net.b, net.const(1, DType.I64), step, [start(net, 4, 3)])[0]


def scan(net: Net) -> Value:
    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        after = b(Add(), states[0], slices[0])
        return [after], [after]

    return add_recurrence(net.b, step, [start(net, 4, 3)], [start(net, 1, 4, 3)])[0]


def the_other_branch(right: Match) -> Match:
    def wrong(self: Any, node: Node, facts: Facts) -> Answer:
        assert isinstance(node.op, If)
        op = If(node.op.else_branch, node.op.then_branch)
        types = tuple(v.type for v in node.outputs)
        return right(self, Node(op, node.inputs, types, node.origin), facts)

    return wrong


def no_run(self: Any, node: Node, facts: Facts) -> Answer:
    states = [v for v in node.inputs[2 : 2 + len(node.outputs)] if v is not None]
    return inline_bodies.Replacement(lambda b: states)


def before_the_run(right: Any) -> Any:
    """The state after the run is the one before."""

    def wrong(node: Any, body: Any, given: Any, results: Any, axes: Any = ()) -> Any:
        return right(node, body, given, [body.inputs[0], *results[1:]], axes)

    return wrong


INLINE = "inline-bodies"
FAULTS = (
    Fault(
        "the branch that does not run",
        INLINE,
        "known-branch",
        branch,
        ((KnownBranch, "match", the_other_branch(KnownBranch.match)),),
    ),
    Fault(
        "a loop of one run left out", INLINE, "known-runs", loop, ((KnownRuns, "match", no_run),)
    ),
    Fault(
        "the state before a run for that after",
        INLINE,
        "known-length",
        scan,
        ((inline_bodies, "_inlined", before_the_run(inline_bodies._inlined)),),
    ),
)
