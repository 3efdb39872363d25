"""Expand before what broadcasts by itself, and before a sum."""

from __future__ import annotations

import pytest

from nncomp.dims import new_dim
from nncomp.ops.comparison import Less
from nncomp.ops.conversion import Where
from nncomp.ops.elementwise import Add, Max, Mul
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Expand
from nncomp.passes.eliminate_expands import EliminateExpands
from tests.passes.support import Net, check

PASSES = (EliminateExpands(),)
N = new_dim("N")


@pytest.mark.parametrize("op", [Add(), Mul(), Max()])
def test_an_elementwise_operator_broadcasts_by_itself(op: Add) -> None:
    net = Net()
    x, y = net.input(N, 4, 5), net.input(4, 1)
    wide = net(Expand(), y, net.b.dims((N, 4, 5)))
    check(net.graph(net(op, wide, x)), PASSES, op.name)


def test_a_selection_and_a_comparison() -> None:
    net = Net()
    x, y = net.input(N, 4), net.input(1, 4)
    wide = net(Expand(), y, net.b.dims((N, 4)))
    chosen = net(Where(), net(Less(), x, wide), wide, x)
    check(net.graph(chosen), PASSES, "Less Where")


def test_not_where_nothing_else_has_the_shape() -> None:
    net = Net()
    x = net.input(1, 4)
    wide = net(Expand(), x, net.b.dims((3, 4)))
    check(net.graph(net(Mul(), wide, x)), PASSES, "Expand Mul")


@pytest.mark.parametrize(("keep", "axes"), [(0, (1,)), (1, (1,)), (1, (0, 1)), (0, (1, 2))])
def test_a_sum_of_copies_is_a_product(keep: int, axes: tuple[int, ...]) -> None:
    net = Net()
    x = net.input(N, 1, 5)
    wide = net(Expand(), net(Exp(), x), net.b.dims((N, 7, 5)))
    check(
        net.graph(net(ReduceSum(keepdims=keep), wide, net.b.ints(*axes))),
        PASSES,
        "Exp ReduceSum Mul",
    )


def test_a_sum_over_a_new_symbolic_axis() -> None:
    net = Net()
    x, y = net.input(5), net.input(N, 5)
    wide = net(Expand(), x, net.b.dims((N, 5)))
    total = net(ReduceSum(keepdims=0), wide, net.b.ints(0))
    check(net.graph(total, net(Exp(), y)), PASSES, "Unsqueeze ReduceSum Dims Cast Mul Exp")


def test_not_a_sum_along_other_axes() -> None:
    net = Net()
    wide = net(Expand(), net.input(N, 1, 5), net.b.dims((N, 7, 5)))
    check(net.graph(net(ReduceSum(), wide, net.b.ints(2))), PASSES, "Dims Expand ReduceSum")
