"""Faults in what recognises attention and rotary positions."""

from __future__ import annotations

import dataclasses
from typing import Any

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Tanh
from nncomp.ops.forms import reshape, transpose
from nncomp.ops.linear import MatMul
from nncomp.ops.shape import Expand, Unsqueeze
from nncomp.passes import (
    fuse_attention,
    fuse_rotary,
)
from nncomp.passes.eliminate_no_ops import RESHAPING, operand
from nncomp.passes.fuse_attention import Scaled
from tests.passes import test_attention
from tests.passes.broken.fault import N, never, of_formula, start
from tests.passes.support import Net


def attention(net: Net, *mask: Any) -> Value:
    parts = [test_attention.heads(net, start(net, N, 5, 6)) for _ in range(3)]
    seen = test_attention.weights(net, parts[0], parts[1], *mask)
    return test_attention.rows(net, net(MatMul(), seen, parts[2]))


def masked(net: Net) -> Value:
    return attention(net, test_attention.causal(net, 5))


def masked_alike(net: Net) -> Value:
    return attention(net, net(Tanh(), net.input(N, 1, 5, 1)))


def without_factor(value: Value) -> Scaled:
    return dataclasses.replace(fuse_attention_scaled(value), factor=1.0)


fuse_attention_scaled = fuse_attention.scaled


def without_mask(right: Any) -> Any:
    def wrong(softmax: Node) -> Any:
        found = right(softmax)
        return found and (found[0], None, found[2])

    return wrong


def heads_before_places(b: Builder, x: Value) -> Value:
    batch, length, count, size = x.shape
    return reshape(b, transpose(b, x, 0, 2, 1, 3), batch, length, count * size)


def turned(net: Net) -> Value:
    return test_attention.rotated(net, start(net, 1, 2, 5, 4), *test_attention.angles(net, 5, 4))


def swapped_angles(right: Any) -> Any:
    return lambda b, x, cos, sin: right(b, x, sin, cos)


def turned_rows(net: Net) -> Value:
    cut = test_attention.heads(net, start(net, 1, 5, 8), 2, 4)
    return test_attention.rotated(net, cut, *test_attention.angles(net, 5, 4))


def tiled_heads(net: Net) -> Value:
    """The keys and values of heads 0, 1, 0, 1."""
    q = test_attention.heads(net, start(net, N, 5, 12), 4)
    k, v = (_tiled(net, test_attention.heads(net, start(net, N, 5, 6))) for _ in range(2))
    return test_attention.rows(net, net(MatMul(), test_attention.weights(net, q, k), v))


def _tiled(net: Net, x: Value) -> Value:
    batch, count, length, size = x.shape
    wide = net(Expand(), net(Unsqueeze(), x, net.b.ints(1)), net.b.dims((1, 2, 1, 1, 1)))
    return reshape(net.b, wide, batch, count * 2, length, size)


def whatever_is_repeated(value: Value | None) -> Value | None:
    flat = operand(value, *RESHAPING)
    wide = None if flat is None else operand(flat.inputs[0], Expand)
    column = None if wide is None else operand(wide.inputs[0], *RESHAPING)
    return None if column is None else column.inputs[0]


FAULTS = (
    of_formula(
        "attention without its scale",
        *("fuse-attention", "recognise-attention", attention),
        ((fuse_attention, "scaled", without_factor),),
    ),
    of_formula(
        "attention without its mask",
        *("fuse-attention", "recognise-attention", masked),
        ((fuse_attention, "_scores", without_mask(fuse_attention._scores)),),
    ),
    of_formula(
        "a mask with one number for all keys",
        *("fuse-attention", "recognise-attention", masked_alike),
        ((fuse_attention, "_misfit", never),),
    ),
    of_formula(
        "rows that have heads before places",
        *("fuse-attention", "join-heads", attention),
        ((fuse_attention, "joined", heads_before_places),),
        most=20,
    ),
    of_formula(
        "cosines for sines",
        *("fuse-rotary", "recognise-rotary", turned),
        ((fuse_rotary, "_turn", swapped_angles(fuse_rotary._turn)),),
    ),
    of_formula(
        "rows to be turned that have heads before places",
        *("fuse-rotary", "turn-rows", turned_rows),
        ((fuse_rotary, "joined", heads_before_places),),
    ),
    of_formula(
        "heads in turn for each head twice",
        *("fuse-attention", "share-heads", tiled_heads),
        ((fuse_attention, "_repeated", whatever_is_repeated),),
        most=20,
    ),
)
