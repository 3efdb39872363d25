"""Batch norms and convolutions with random weights, and the passes that fold them."""

from __future__ import annotations

from nncomp.dims import new_dim
from nncomp.ir.graph import Value
from nncomp.ops.conv import Conv
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.fold_batch_norm import FoldBatchNorm
from nncomp.passes.fold_constants import FoldConstants
from tests.passes.support import Net

PASSES = (FoldBatchNorm(), FoldConstants(), EliminateDeadNodes())
N = new_dim("N")


def batch_norm(net: Net, x: Value, epsilon: float = 1e-3) -> Value:
    c = x.shape[1]
    assert isinstance(c, int)
    scale, shift, mean = (net.param(c) for _ in range(3))
    return net(
        BatchNormalization(epsilon=epsilon), x, scale, shift, mean, net.param(c, positive=True)
    )


def conv(net: Net, x: Value, op: Conv, *shape: int, bias: bool = False) -> Value:
    return net(op, x, net.param(*shape), net.param(shape[0]) if bias else None)
