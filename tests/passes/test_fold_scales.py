"""Scales after products of rows, folded into their weights."""

from __future__ import annotations

import pytest

from nncomp.dims import new_dim
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.linear import MatMul
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.fold_batch_norm import FoldBatchNorm
from nncomp.passes.fold_constants import FoldConstants
from tests.passes.support import Net, check

PASSES = (FoldBatchNorm(), FoldConstants(), EliminateDeadNodes())
N = new_dim("N")


@pytest.mark.parametrize("shape", [(5,), (1, 1, 5), (1,), ()])
@pytest.mark.parametrize("biased", [False, True])
def test_into_the_weights(shape: tuple[int, ...], biased: bool) -> None:
    net = Net()
    y = net(MatMul(), net.input(N, 3, 4), net.param(4, 5))
    y = net(Add(), y, net.param(5)) if biased else y
    graph = net.bound(net(Mul(), net.param(*shape), y))
    check(graph, PASSES, "MatMul Add" if biased else "MatMul")


def test_not_where_the_product_is_read() -> None:
    net = Net()
    y = net(MatMul(), net.input(N, 3, 4), net.param(4, 5))
    graph = net.bound(net(Mul(), y, net.param(5)), y)
    result = check(graph, PASSES, "MatMul Mul")
    reasons = {refusal.reason for refusal in result.refusals}
    assert "MatMul cannot take the scale in: its result is an output of the graph" in reasons


def test_not_where_the_weights_serve_twice() -> None:
    net = Net()
    w = net.param(4, 5)
    parts = [net(MatMul(), net.input(N, 3, 4), w) for _ in range(2)]
    graph = net.bound(net(Mul(), parts[0], net.param(5)), parts[1])
    result = check(graph, PASSES, "MatMul MatMul Mul")
    assert any("stored twice" in refusal.reason for refusal in result.refusals)


def test_not_along_rows() -> None:
    net = Net()
    y = net(MatMul(), net.input(N, 5, 4), net.param(4, 5))
    check(net.bound(net(Mul(), y, net.param(5, 1))), PASSES, "MatMul Mul")
