"""Rotary positions that are written out as the operator that ONNX has for them from opset 23.

    x · cos + [-x₂ x₁] · sin  =  RotaryEmbedding(x, cos, sin),   x = [x₁ x₂] along the last axis

for x of shape [N, heads, length, size], and constant angles that both halves have in common. Heads
that are cut from [N, length, heads · size] may as well be cut after they are turned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncomp.dims import DimLike, equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Add, Mul, Neg
from nncomp.ops.rotary import RotaryEmbedding
from nncomp.ops.shape import Expand, Transpose
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Slice
from nncomp.passes.eliminate_no_ops import operand, same_type
from nncomp.passes.fuse_attention import HEADS_FIRST, heads_turned, joined, reshaped
from nncomp.passes.patterns import why_not_closed
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass
from nncomp.types import Array


class RecogniseRotary(Rule):
    """x · cos + [-x₂ x₁] · sin → RotaryEmbedding(x, cos, sin), if the steps have no reader but each
    other."""

    name = "recognise-rotary"
    roots = (Add,)

    def match(self, node: Node, facts: Facts) -> Answer:
        if not node.outputs[0].type.dtype.is_float:
            return None
        for one, other in _pairs(node):
            plain, crossed = operand(one, Mul), operand(other, Mul)
            if plain is None or crossed is None:
                continue
            for x, cos in _pairs(plain):
                for turned, sin in _pairs(crossed):
                    steps = _halves_swapped(turned, x)
                    if steps is not None:
                        nodes = (node, plain, crossed, *steps)
                        return self._replaced(facts, nodes, x, cos, sin)
        return None

    def _replaced(
        self, facts: Facts, nodes: tuple[Node, ...], x: Value, cos: Value, sin: Value
    ) -> Answer:
        angles = [_angles(facts.constant(c), x) for c in (cos, sin)]
        cosines, sines = angles
        if cosines is None or sines is None or not same_type(x, nodes[0].outputs[0]):
            return Refused("the angles are no constants that both halves have in common")
        if why := why_not_closed(facts, nodes, nodes[0]):
            return Refused(f"the formula of RotaryEmbedding is needed step by step: {why}")
        return Replacement(lambda b: _turn(b, x, cosines, sines), nodes)


def _pairs(node: Node) -> tuple[tuple[Value, Value], tuple[Value, Value]]:
    """The two operands, both ways."""
    first, second = node.operands
    return (first, second), (second, first)


def _halves_swapped(value: Value, x: Value) -> tuple[Node, ...] | None:
    """The nodes that compute [-x₂ x₁]."""
    joined_ = operand(value, Concat)
    if joined_ is None or len(joined_.inputs) != 2 or x.rank != 4:
        return None
    assert isinstance(joined_.op, Concat)
    negated, lower = operand(joined_.inputs[0], Neg), operand(joined_.inputs[1], Slice)
    upper = None if negated is None else operand(negated.inputs[0], Slice)
    if negated is None or lower is None or upper is None or joined_.op.axis not in (-1, 3):
        return None
    if not _is_half(lower, x, 0) or not _is_half(upper, x, 1):
        return None
    return joined_, negated, lower, upper


def _is_half(node: Node, x: Value, which: int) -> bool:
    """Whether a Slice takes the first or the second half of x along its last axis."""
    size = x.shape[3]
    types = [v.type if v is not None else None for v in node.inputs]
    if node.inputs[0] is not x or not isinstance(size, int) or size % 2:
        return False
    if any(t is not None and t.elements is None for t in types[1:]):
        return False
    assert isinstance(node.op, Slice)
    taken = list(node.op.stretches(*types))  # type: ignore[arg-type]
    if len(taken) != 1:
        return False
    (part,) = taken
    wanted = (3, which * (size // 2), size // 2, 1)
    return (part.axis, part.start, part.count, part.step) == wanted


def _angles(array: Array | None, x: Value) -> Array | None:
    """[length, size / 2] of a constant that has the same for each sample, head and half."""
    if array is None or not all(isinstance(dim, int) for dim in x.shape[2:]):
        return None
    if array.ndim > 4 or array.size != np.prod(array.shape[-2:]):
        return None
    shape: tuple[DimLike, ...] = x.shape[2:]
    if array.shape[-2:] != shape:
        return None
    first, second = np.split(array.reshape(array.shape[-2:]), 2, axis=1)
    return np.ascontiguousarray(first) if np.array_equal(first, second) else None


def _turn(b: Builder, x: Value, cos: Array, sin: Array) -> Value:
    batch, _, length, _ = x.shape
    if equal(batch, 1):
        return b(RotaryEmbedding(), x, b.constant(cos[None]), b.constant(sin[None]))
    assert isinstance(length, int)
    places = b(Expand(), b.ints(*range(length)), b.dims((batch, length)))
    return b(RotaryEmbedding(), x, b.constant(cos), b.constant(sin), places)


class TurnRows(Rule):
    """RotaryEmbedding(Transpose(Reshape(x))) → Transpose(Reshape(RotaryEmbedding(x))), where heads
    are cut from rows, so that what comes after may put them together again."""

    name = "turn-rows"
    roots = (RotaryEmbedding,)

    def match(self, node: Node, facts: Facts) -> Answer:
        cut = heads_turned(node.inputs[0])
        if cut is None:
            return None
        heads = cut.inputs[0]
        assert heads is not None
        if not isinstance(heads.shape[2], int):
            return Refused("how many heads RotaryEmbedding has is not known")
        if why := facts.why_not_private(cut.outputs[0]):
            return Refused(f"heads are turned apart: {why}")
        assert isinstance(node.op, RotaryEmbedding)
        op = RotaryEmbedding(node.op.interleaved, heads.shape[2], node.op.rotary_embedding_dim)

        def build(b: Builder) -> Value:
            turned = b(op, joined(b, heads), *node.inputs[1:])
            return b(Transpose(HEADS_FIRST), reshaped(b, turned, heads.shape))

        return Replacement(build, (node, cut))


@dataclass(frozen=True)
class FuseRotary(RulePass):
    """x · cos + [-x₂ x₁] · sin → RotaryEmbedding(x, cos, sin)."""

    name = "fuse-rotary"
    opset = 23

    @property
    def rules(self) -> tuple[Rule, ...]:
        return RecogniseRotary(), TurnRows()
