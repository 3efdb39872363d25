"""Faults that show only where answers are NaN, or where NaN would hide them."""

from __future__ import annotations

import numpy as np

from nncomp.ir.graph import Value
from nncomp.ops.conversion import Where
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.elementwise_math import Log
from nncomp.ops.linear import MatMul
from nncomp.passes import fold_scales, fuse_attention
from nncomp.types import DType
from tests.passes import test_attention
from tests.passes.broken.fault import Fault, N, always, start
from tests.passes.broken.products import without_scaled_bias
from tests.passes.support import Net


def seen_or_not(net: Net) -> Value:
    """Attention of two keys, of which a query may see none."""
    parts = [test_attention.heads(net, start(net, N, 2, 6)) for _ in range(3)]
    seen = net.input(N, 1, 2, 2, dtype=DType.BOOL, name="seen")
    mask = net(Where(), seen, net.const(0.0), net.const(-np.inf))
    weights = test_attention.weights(net, parts[0], parts[1], mask)
    return net(MatMul(), weights, parts[2])


def of_logarithms(net: Net) -> Value:
    """Rows of which one negative number makes all NaN."""
    product = net(MatMul(), net(Log(), net.input(N, 2, 9)), net.param(9, 5))
    return net(Mul(), net(Add(), product, net.param(5)), net.param(5))


FAULTS = (
    Fault(
        "0 where the formula of attention makes NaN",
        "fuse-attention",
        "recognise-attention",
        seen_or_not,
        ((fuse_attention, "_leaves_a_key", always),),
        most=12,
    ),
    Fault(
        "a scale that misses the bias, of logarithms",
        "fold-batch-norm",
        "fold-scale",
        of_logarithms,
        ((fold_scales, "_scaled", without_scaled_bias(fold_scales._scaled)),),
    ),
)
