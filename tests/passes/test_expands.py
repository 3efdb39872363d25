"""Expand before what broadcasts by itself, and before a sum."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.dims import DimLike, new_dim
from nncomp.ops.comparison import And, Less
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Max, Mul
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.indexing import Gather
from nncomp.ops.indexing_nd import GatherND
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Expand
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.eliminate_expands import EliminateExpands
from nncomp.passes.fold_constants import FoldConstants
from nncomp.passes.manager import run_passes
from nncomp.types import DType
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


@pytest.mark.parametrize(("copies", "refused"), [(65_504, False), (65_505, True), (N, True)])
def test_not_more_copies_than_float16_counts(copies: DimLike, refused: bool) -> None:
    net = Net()
    x, y = net.input(5, dtype=DType.F16), net.input(N, 5)
    wide = net(Expand(), x, net.b.dims((copies, 5)))
    total = net(ReduceSum(keepdims=0), wide, net.b.ints(0))
    refusals = run_passes(net.graph(total, net(Exp(), y)), PASSES).refusals
    assert [r.reason.split(",")[0] for r in refusals] == ["the number of copies"] * refused


def test_not_a_sum_along_other_axes() -> None:
    net = Net()
    wide = net(Expand(), net.input(N, 1, 5), net.b.dims((N, 7, 5)))
    check(net.graph(net(ReduceSum(), wide, net.b.ints(2))), PASSES, "Dims Expand ReduceSum")


class TestExpandLater:
    """What a mask of any number of samples computes is folded."""

    FOLDED = (EliminateExpands(), FoldConstants(), EliminateDeadNodes())

    def test_a_mask_as_exported(self) -> None:
        """`where(causal & ones(N, 4)[n, k], 0, lowest)`, looked up by an index that N gives."""
        net = Net()
        x = net.input(N, 2, 4, 4)
        ones = net(Expand(), net.const(1, DType.I64), net.b.dims((N, 4)))
        seen = net(Cast(DType.BOOL), ones)
        places = net.input(N, 1, 1, 4, 2, dtype=DType.I64)
        both = net(
            And(), net.const(np.tri(4)[None, None], DType.BOOL), net(GatherND(), seen, places)
        )
        mask = net(Where(), both, net.const(0.0), net.const(-1e9))
        result = check(net.graph(net(Add(), x, mask)), self.FOLDED, "Add")
        assert result.log[0].result.counts["expand-later"] == 4

    def test_rows_of_a_table(self) -> None:
        net = Net()
        x, table = net.input(N, 3, 5), net.const(np.arange(10.0).reshape(2, 5))
        kinds = net(Expand(), net.const([[0, 1, 1]], DType.I64), net.b.dims((N, 3)))
        check(net.graph(net(Mul(), x, net(Gather(), table, kinds))), self.FOLDED, "Mul")

    def test_other_axes_and_what_a_run_tells_stay(self) -> None:
        net = Net()
        table = net.const(np.arange(10.0).reshape(2, 5))
        kinds = net(Expand(), net.const([[0, 1, 1]], DType.I64), net.b.dims((N, 3)))
        y = net(Gather(axis=1), table, kinds)
        wide = net(Expand(), net.input(1, 3), net.b.dims((N, 3)))
        graph = net.graph(y, net(Exp(), net.input(N)), net(Add(), wide, 1.0))
        assert not check(graph, self.FOLDED[:1]).log[0].changed
