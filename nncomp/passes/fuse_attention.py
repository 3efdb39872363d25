"""Attention that is written out as the operator that ONNX has for it from opset 23.

    Softmax(scale · Q Kᵀ + mask) V  =  Attention(Q, K, V, mask, scale=scale)

for Q, K and V of shape [N, heads, length, size]; heads of K and V that serve several of Q need not
be repeated. Where each of them is cut from [N, length, heads ·
size], and the result is put together to that again, the operator does so itself.

Of a query that sees no key, as every number of its mask is -inf, the formula makes NaN, and the
operator 0. So it is recognised only where each query is sure to see one: without a mask, with a
constant one that leaves each query a key (like a causal one), or with one that is finite whatever
the inputs are (as exporters write it: `Where(seen, 0, lowest)`); or where the formula makes 0 of
NaN itself. A mask that is given as an input stays the formula.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.dims import DimLike, equal, equal_shapes
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Softmax
from nncomp.ops.attention import Attention
from nncomp.ops.comparison import IsNaN
from nncomp.ops.conversion import Where
from nncomp.ops.elementwise import Add, Div, Mul
from nncomp.ops.elementwise_math import constant_number
from nncomp.ops.linear import MatMul
from nncomp.ops.shape import Expand, Reshape, Transpose
from nncomp.passes.bounds import is_finite
from nncomp.passes.eliminate_no_ops import RESHAPING, operand, same_type
from nncomp.passes.patterns import is_number, near, why_not_closed
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass
from nncomp.passes.simplify_shapes import plain_shape
from nncomp.passes.simplify_transposes import AROUND

HEADS_FIRST = (0, 2, 1, 3)
Build = Callable[[Builder], Value]


@dataclass(frozen=True)
class Scaled:
    """factor · value, and the nodes that multiply."""

    value: Value
    factor: float
    nodes: tuple[Node, ...]


def scaled(value: Value) -> Scaled:
    """The value without the numbers that it is multiplied with or divided by."""
    factor, nodes = 1.0, []
    while (node := operand(value, Mul, Div)) is not None:
        first, second = node.inputs
        number, rest = constant_number(second), first
        if number is None and isinstance(node.op, Mul):
            number, rest = constant_number(first), second
        if number is None or rest is None or not number or not same_type(rest, value):
            break
        factor = factor * number if isinstance(node.op, Mul) else factor / number
        nodes.append(node)
        value = rest
    return Scaled(value, factor, tuple(nodes))


class RecogniseAttention(Rule):
    """Softmax(scale · Q Kᵀ + mask) V → Attention(Q, K, V, mask), for operands of rank 4.

    scale > 0, before or after the product or both; the mask has a number for each key. The steps
    from the product to the weights have no reader but each other.
    """

    name = "recognise-attention"
    roots = (MatMul,)

    def match(self, node: Node, facts: Facts) -> Answer:
        weights, v = node.inputs
        weights, guards = _unguarded(weights)
        softmax = operand(weights, Softmax)
        if softmax is None or v is None or not isinstance(softmax.op, Softmax):
            return None
        if node.outputs[0].rank != 4 or v.rank != 4 or softmax.op.axis not in (-1, 3):
            return None
        found = _scores(softmax)
        if found is None:
            return None
        scores, mask, steps = found
        product = scores.value.node
        assert product is not None
        q, k = (scaled(value) for value in product.operands)
        scale = scores.factor * q.factor * k.factor
        nodes = (node, *guards, softmax, *steps, *scores.nodes, product)
        if scale <= 0:
            return Refused(f"Attention scales by a number above 0, not by {scale:g}")
        if why := _why_not_alike(q.value, k.value, v):
            return Refused(f"Attention does not broadcast: {why}")
        if mask is not None and (why := _misfit(mask, scores.value)):
            return Refused(f"Attention cannot take the mask: {why}")
        if mask is not None and not guards and not _leaves_a_key(mask, facts):
            return Refused(
                "the mask may hide every key from a query, of which the formula makes NaN and"
                " Attention 0"
            )
        if why := why_not_closed(facts, nodes, node):
            return Refused(f"the formula of Attention is needed step by step: {why}")
        size = q.value.shape[3]
        usual = isinstance(size, int) and near(scale, size**-0.5, v)
        op = Attention(scale=None if usual else scale)
        return Replacement(lambda b: b(op, q.value, _turned(b, k.value), v, mask), nodes)


def _unguarded(weights: Value | None) -> tuple[Value | None, tuple[Node, ...]]:
    """The weights without the nodes that make 0 of NaN, as the operator does."""
    where = operand(weights, Where)
    if where is None or not is_number(where.inputs[1], 0):
        return weights, ()
    asked = operand(where.inputs[0], IsNaN)
    if asked is None or asked.inputs[0] is not where.inputs[2]:
        return weights, ()
    return where.inputs[2], (where, asked)


def _scores(softmax: Node) -> tuple[Scaled, Value | None, tuple[Node, ...]] | None:
    """The scaled product whose softmax it is, the mask, and the node that adds it."""
    above = softmax.inputs[0]
    assert above is not None
    plain = scaled(above)
    if _is_scores(plain.value):
        return plain, None, ()
    add = operand(above, Add)
    if add is None:
        return None
    for y, mask in (add.inputs, add.inputs[::-1]):
        assert y is not None
        found = scaled(y)
        if _is_scores(found.value) and same_type(y, above):
            return found, mask, (add,)
    return None


def _is_scores(value: Value) -> bool:
    node = operand(value, MatMul)
    return node is not None and all(v.rank == 4 for v in node.operands)


def _why_not_alike(q: Value, k: Value, v: Value) -> str | None:
    """Why the operator does not take Q [N, heads, length, size], K, its last two axes swapped, and
    V, where their product does: that repeats axes of size 1."""
    if not equal_shapes(k.shape[:2], v.shape[:2]):
        return f"K {k.type} and V {v.type} differ in their batch or heads"
    if not equal_shapes(q.shape[:1], k.shape[:1]):
        return f"Q {q.type} and K {k.type} differ in their batch"
    if k.shape[1] != 1 and not equal_shapes(q.shape[1:2], k.shape[1:2]):
        return f"Q {q.type} and K {k.type} differ in their heads"
    return None


def _misfit(mask: Value, scores: Value) -> str | None:
    if mask.rank < 2:
        return f"{mask.type} has no axis of queries"
    if equal(mask.shape[-1], scores.shape[-1]) is not True:
        return f"{mask.type} has no number for each of {scores.shape[-1]} keys"
    return None


def _leaves_a_key(mask: Value, facts: Facts) -> bool:
    """Whether each query is sure to see a key that the mask adds a finite number for."""
    array = facts.constant(mask)
    if array is None or not mask.type.dtype.is_float:
        return is_finite(mask, facts)
    hidden = np.isneginf(array)
    return bool(np.all(np.isfinite(array) | hidden) and not np.any(hidden.all(axis=-1)))


def _turned(b: Builder, k: Value) -> Value:
    """The last two axes of rank 4 swapped; by the transpose that is there, if there is one."""
    node = operand(k, Transpose)
    perm, x = (0, 1, 2, 3), k
    if node is not None and isinstance(node.op, Transpose) and node.inputs[0] is not None:
        perm, x = node.op.order(4), node.inputs[0]  # type: ignore[assignment]
    swapped = (perm[0], perm[1], perm[3], perm[2])
    return x if swapped == (0, 1, 2, 3) else b(Transpose(swapped), x)


class ShareHeads(Rule):
    """Attention(Q, K', V') → Attention(Q, K, V), where K' and V' repeat each head of K and V, one
    after the other."""

    name = "share-heads"
    roots = (Attention,)

    def match(self, node: Node, facts: Facts) -> Answer:
        q, *parts = node.inputs[:3]
        assert q is not None
        found = [_repeated(value) for value in parts]
        if q.rank != 4 or any(part is None for part in found):
            return None
        _, *others = node.outputs
        if any(facts.reads[v] for v in others):
            return Refused("more than the result of Attention is read")
        inputs = (q, *found, *node.inputs[3:])
        return Replacement(lambda b: (b(node.op, *inputs), *(None for _ in others)))


def _repeated(value: Value | None) -> Value | None:
    """[N, heads, length, size] where the value is that, each head several times."""
    flat = operand(value, *RESHAPING)
    wide = None if flat is None else operand(flat.inputs[0], Expand)
    column = None if wide is None else operand(wide.inputs[0], *RESHAPING)
    if value is None or wide is None or column is None:
        return None
    x, apart = column.inputs[0], wide.outputs[0]
    assert x is not None
    if x.rank != 4 or apart.rank != 5 or value.rank != 4 or not isinstance(apart.shape[2], int):
        return None
    batch, heads, *rest = x.shape
    times = apart.shape[2]
    shapes = (
        (column.outputs[0].shape, (batch, heads, 1, *rest)),
        (apart.shape, (batch, heads, times, *rest)),
        (value.shape, (batch, heads * times, *rest)),
    )
    return x if all(equal_shapes(own, wanted) for own, wanted in shapes) else None


class JoinHeads(Rule):
    """Reshape(Transpose(Attention(Q, K, V))) → Attention(Q', K', V'), where Q, K and V are Q', K'
    and V' of shape [N, length, heads · size], reshaped and transposed.
    """

    name = "join-heads"
    roots = RESHAPING

    def match(self, node: Node, facts: Facts) -> Answer:
        turn = heads_turned(node.inputs[0])
        attention = None if turn is None else operand(turn.inputs[0], Attention)
        if turn is None or attention is None or not isinstance(attention.op, Attention):
            return None
        if node.outputs[0].shape[-1:] != _rows(turn.outputs[0])[-1:]:
            return None
        parts = [_cut_from(value) for value in attention.inputs[:3]]
        q, k, v = parts
        if q is None or k is None or v is None:
            return Refused("a part of Attention is not cut from rows of all heads")
        if not isinstance(q.heads, int) or not isinstance(k.heads, int):
            return Refused("how many heads Attention has is not known")
        nodes = (attention, turn, node)
        if why := why_not_closed(facts, nodes, node):
            return Refused(f"Attention cannot put its heads together: {why}")
        heads = {"q_num_heads": q.heads, "kv_num_heads": k.heads}
        op = dataclasses.replace(attention.op, **heads)
        rest = attention.inputs[3:]

        def build(b: Builder) -> Value:
            whole = b(op, *(part.rows(b) for part in (q, k, v)), *rest)
            return reshaped(b, whole, node.outputs[0].shape)

        return Replacement(build, nodes)


@dataclass(frozen=True)
class Cut:
    """How many heads a tensor has, and what makes the rows [N, length, heads · size] that they are
    cut from."""

    heads: DimLike
    rows: Build


def _cut_from(value: Value | None) -> Cut | None:
    """Heads that are turned to the front; or a single one, which need not be."""
    turn = heads_turned(value)
    if turn is not None and turn.inputs[0] is not None:
        x = turn.inputs[0]
        return Cut(x.shape[2], lambda b: joined(b, x))
    if value is None or value.shape[1] != 1 or operand(value, *RESHAPING) is None:
        return None
    assert value.node is not None
    x = value.node.operands[0]
    batch, _, *rest = value.shape
    return Cut(1, lambda b: reshaped(b, x, (batch, *rest)))


def heads_turned(value: Value | None) -> Node | None:
    """The transpose that swaps heads and places, if the value is its result."""
    node = operand(value, Transpose)
    if node is None or not isinstance(node.op, Transpose) or node.outputs[0].rank != 4:
        return None
    return node if node.op.order(4) == HEADS_FIRST else None


def _rows(x: Value) -> tuple[DimLike, ...]:
    """[N, length, heads · size] for [N, length, heads, size]."""
    return (*x.shape[:2], x.shape[2] * x.shape[3])


def joined(b: Builder, x: Value) -> Value:
    """The rows that the heads are cut from."""
    cut = operand(x, *RESHAPING)
    source = cut.inputs[0] if cut is not None else x
    assert source is not None
    return reshaped(b, source, _rows(x))


def reshaped(b: Builder, x: Value, shape: Sequence[DimLike]) -> Value:
    """x in the shape; x itself if it has it."""
    if equal_shapes(shape, x.shape):
        return x
    plain = plain_shape(x, tuple(shape))
    return b(Reshape(), x, b.dims(tuple(shape)) if plain is None else b.ints(*plain))


@dataclass(frozen=True)
class FuseAttention(RulePass):
    """Softmax(scale · Q Kᵀ + mask) V → Attention(Q, K, V, mask)."""

    name = "fuse-attention"
    opset = 23

    @property
    def rules(self) -> tuple[Rule, ...]:
        return RecogniseAttention(), *AROUND, ShareHeads(), JoinHeads()  # of the keys it turns
