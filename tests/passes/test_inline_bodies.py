"""Branches, loops and scans whose course is known are the nodes that run."""

from __future__ import annotations

import pytest

from nncomp.dims import new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu, Tanh
from nncomp.ops.comparison import Less
from nncomp.ops.control_building import Values, add_if, add_loop, add_recurrence
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.shape_slicing import Slice
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.fold_constants import FoldConstants
from nncomp.passes.inline_bodies import InlineBodies
from nncomp.passes.manager import optimize
from nncomp.types import DType
from tests.passes.support import Net, check, names

PASSES = (InlineBodies(), FoldConstants(), EliminateDeadNodes())
N, T = new_dim("N"), new_dim("T")


def branches(net: Net, condition: Value, x: Value) -> Value:
    """Tanh of twice the number, or Relu."""
    one, other = Builder(), Builder()
    results = one(Tanh(), one(Mul(), x, 2.0)), other(Relu(), x)
    return add_if(net.b, condition, (one.nodes, other.nodes), [results])[0]


@pytest.mark.parametrize(("condition", "left"), [(True, "Mul Tanh"), (False, "Relu")])
def test_a_known_branch(condition: bool, left: str) -> None:
    net = Net()
    y = branches(net, net.const(condition, DType.BOOL), net.input(N, 3))
    check(net.graph(y), PASSES, left)


def test_a_condition_that_folds() -> None:
    net = Net()
    condition = net(Less(), net(Add(), net.const(1.0), 1.0), 3.0)
    check(net.graph(branches(net, condition, net.input(N, 3))), PASSES, "Mul Tanh")


def test_one_branch_in_another() -> None:
    net = Net()
    x = net.input(N, 3)
    one, inner = Builder(), (Builder(), Builder())
    known = one.constant(False, DType.BOOL)
    pair = inner[0](Tanh(), x), inner[1](Mul(), x, 3.0)
    (chosen,) = add_if(one, known, (inner[0].nodes, inner[1].nodes), [pair])
    other = Builder()
    results = one(Relu(), chosen), other(Relu(), x)
    y = add_if(net.b, net.const(True, DType.BOOL), (one.nodes, other.nodes), [results])[0]
    check(net.graph(y), PASSES, "Mul Relu")


def test_a_branch_that_gives_what_it_captures() -> None:
    net = Net()
    x = net(Relu(), net.input(N, 3))
    other = Builder()
    nodes: tuple[list[object], list[object]] = ([], [*other.nodes])
    y = add_if(net.b, net.const(True, DType.BOOL), nodes, [(x, x)])[0]  # type: ignore[arg-type]
    check(net.graph(net(Tanh(), y)), PASSES, "Relu Tanh")


def test_an_unknown_branch_stays() -> None:
    net = Net()
    condition = net(Cast(DType.BOOL), net.input())
    result = check(net.graph(branches(net, condition, net.input(N, 3))), PASSES)
    assert names(result.graph)[-1] == "If"
    assert not result.refusals


def test_sizes_that_only_the_branch_tells() -> None:
    net = Net()
    x = net.input(N, 3)
    one, other = Builder(), Builder()
    half = one(Slice(), x, one.ints(0), one.ints(1), one.ints(0))
    results = one(Relu(), half), other(Relu(), x)
    y = add_if(net.b, net.const(True, DType.BOOL), (one.nodes, other.nodes), [results])[0]
    result = check(net.graph(y), PASSES, "If")
    assert "of which only it tells the sizes" in result.refusals[0].reason


def looped(net: Net, runs: int, x: Value) -> Value:
    def step(b: Builder, number: Value, states: Values) -> Values:
        return [b(Tanh(), b(Add(), states[0], b(Cast(DType.F32), number)))]

    return add_loop(net.b, net.const(runs, DType.I64), step, [x])[0]


@pytest.mark.parametrize(
    ("runs", "left"), [(-1, "Relu"), (0, "Relu"), (1, "Add Tanh Relu"), (2, "Loop Relu")]
)
def test_loops(runs: int, left: str) -> None:
    net = Net()
    check(net.graph(net(Relu(), looped(net, runs, net.input(N, 3)))), PASSES, left)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("length", [1, 2])
def test_scans(axis: int, length: int) -> None:
    net = Net()
    x = net.input(*((length, N, 3) if axis == 0 else (N, length, 3)))

    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        after = b(Tanh(), b(Add(), states[0], slices[0]))
        return [after], [b(Mul(), after, 2.0)]

    results = add_recurrence(net.b, step, [net.input(N, 3)], [x], axis=axis)
    left = "Squeeze Add Tanh Mul Unsqueeze" if length == 1 else "Scan"
    check(net.graph(*results), PASSES, left)


def test_levels() -> None:
    net = Net()
    graph = net.graph(branches(net, net.const(True, DType.BOOL), net.input(N, 3)))
    assert names(optimize(graph, 1).graph) == ["Mul", "Tanh"]
    (node, *_) = (n for n in optimize(graph, 1).graph.nodes if n.op.name == "Tanh")
    assert "inline-bodies/known-branch" in [str(step) for step in node.origin.history]
