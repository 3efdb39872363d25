"""Reshapes and transposes around each other.

    Reshape(Transpose(Reshape(x)))    =  Reshape(Transpose(x))
    Transpose(Reshape(Transpose(x)))  =  Reshape(Transpose(x))

where the reshape in the middle, or the inner one, only merges neighbouring axes: these can be
permuted before they are merged as well. The transpose that is left has more axes; where nothing is
left to merge, the reshape goes as well. PyTorch's exporter transposes the last two axes of what has
four so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.dims import DimLike, equal, equal_shapes
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.shape import Reshape, Transpose
from nncomp.passes.eliminate_no_ops import (
    RESHAPING,
    MergeReshapes,
    MergeTransposes,
    ReturnOperand,
    operand,
)
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass
from nncomp.passes.simplify_shapes import plain_shape


class TransposeOfMerged(Rule):
    """Reshape(Transpose(Reshape(x))) → Reshape(Transpose(x)), if the first reshape merges
    neighbouring axes of x; without the last one, if it gives back those of each."""

    name = "transpose-of-merged"
    roots = RESHAPING

    def match(self, node: Node, facts: Facts) -> Answer:
        turn = operand(node.inputs[0], Transpose)
        merge = None if turn is None else operand(turn.inputs[0], *RESHAPING)
        if turn is None or merge is None:
            return None
        x, perm = merge.inputs[0], _apart(turn, merge)
        if perm is None or x is None:
            return None
        if why := facts.why_not_private(turn.outputs[0]):
            return Refused(f"the transpose with merged axes stays: {why}")
        return _turned_first(x, perm, node, turn, merge)


class TransposeAroundMerged(Rule):
    """Transpose(Reshape(Transpose(x))) → Reshape(Transpose(x)), if the reshape merges neighbouring
    axes and nothing else reads it."""

    name = "transpose-around-merged"
    roots = (Transpose,)

    def match(self, node: Node, facts: Facts) -> Answer:
        merge = operand(node.inputs[0], *RESHAPING)
        inner = None if merge is None else operand(merge.inputs[0], Transpose)
        if merge is None or inner is None or not isinstance(inner.op, Transpose):
            return None
        perm, x = _apart(node, merge), inner.inputs[0]
        if perm is None or x is None:
            return None
        if why := facts.why_not_private(merge.outputs[0]):
            return Refused(f"the reshape between transposes stays: {why}")
        first = inner.op.order(x.rank)
        return _turned_first(x, tuple(first[axis] for axis in perm), node, merge, inner)


def _apart(turn: Node, merge: Node) -> tuple[int, ...] | None:
    """The order in which the transpose leaves the axes that the reshape before it merges, but for
    those of size 1; None if it does not merge neighbours."""
    assert isinstance(turn.op, Transpose)
    (x, merged) = merge.inputs[0], merge.outputs[0]
    assert x is not None
    groups = merged_axes(x.shape, merged.shape)
    if groups is None:
        return None
    return tuple(axis for place in turn.op.order(merged.rank) for axis in groups[place])


def _turned_first(x: Value, order: tuple[int, ...], node: Node, *others: Node) -> Answer:
    """x, its axes in that order, in the shape of the node's result; None where that is no constant,
    so that it would be computed in each run."""
    wanted = node.outputs[0].shape
    perm = _with_ones(x, order, wanted)
    turned = Value(x.type.with_shape(tuple(x.shape[axis] for axis in perm)))
    plain = None if equal_shapes(turned.shape, wanted) else plain_shape(turned, wanted)
    if plain is None and not equal_shapes(turned.shape, wanted):
        return None

    def build(b: Builder) -> Value:
        y = x if perm == tuple(range(x.rank)) else b(Transpose(perm), x)
        return y if plain is None else b(Reshape(), y, b.ints(*plain))

    return Replacement(build, (node, *others))


def _with_ones(x: Value, order: Sequence[int], wanted: Sequence[DimLike]) -> tuple[int, ...]:
    """All axes of x: those of size 1 where the wanted shape has such, so that no reshape is needed;
    else where they are."""
    ones = [axis for axis in range(x.rank) if axis not in order]
    if len(wanted) != x.rank or [dim == 1 for dim in wanted].count(True) != len(ones):
        wanted = x.shape
    left, rest = iter(order), iter(ones)
    return tuple(next(rest) if dim == 1 else next(left) for dim in wanted)


def merged_axes(shape: Sequence[DimLike], merged: Sequence[DimLike]) -> list[list[int]] | None:
    """For each axis of the second shape the axes of the first that it is made of, in order, but for
    those of size 1; None if it is not made by merging neighbours."""
    groups: list[list[int]] = []
    axes = [axis for axis, dim in enumerate(shape) if dim != 1]
    for dim in merged:
        group: list[int] = []
        size: DimLike = 1
        while axes and equal(size, dim) is not True:
            group.append(axes.pop(0))
            size = size * shape[group[-1]]
        if equal(size, dim) is not True:
            return None
        groups.append(group)
    return None if axes else groups


AROUND: tuple[Rule, ...] = (
    *(ReturnOperand(), MergeTransposes(), MergeReshapes()),
    *(TransposeOfMerged(), TransposeAroundMerged()),
)
"""These rules, and those that take away what they leave next to each other."""


@dataclass(frozen=True)
class SimplifyTransposes(RulePass):
    """Reshape(Transpose(Reshape(x))) → Reshape(Transpose(x)), where the first merges axes."""

    name = "simplify-transposes"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return AROUND
