"""Reshapes and transposes around each other.

    Reshape(Transpose(Reshape(x)))  =  Transpose(x)

where the inner reshape only merges axes and the outer one parts them again: PyTorch's exporter
transposes the last two axes of what has four so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.dims import DimLike, equal
from nncomp.ir.graph import Node
from nncomp.ops.shape import Transpose
from nncomp.passes.eliminate_no_ops import RESHAPING, operand
from nncomp.passes.rewrite import Answer, Facts, Refused, Rule, RulePass, by_node


class TransposeOfMerged(Rule):
    """Reshape(Transpose(Reshape(x))) → Transpose(x), if the first reshape merges neighbouring axes
    of x, and the last gives back those of each."""

    name = "transpose-of-merged"
    roots = RESHAPING

    def match(self, node: Node, facts: Facts) -> Answer:
        turn = operand(node.inputs[0], Transpose)
        merge = None if turn is None else operand(turn.inputs[0], *RESHAPING)
        if turn is None or merge is None or not isinstance(turn.op, Transpose):
            return None
        x = merge.inputs[0]
        assert x is not None
        groups = merged_axes(x.shape, merge.outputs[0].shape)
        if groups is None:
            return None
        perm = tuple(axis for place in turn.op.order(len(groups)) for axis in groups[place])
        if not _same([x.shape[axis] for axis in perm], node.outputs[0].shape):
            return None
        if why := facts.why_not_private(turn.outputs[0]):
            return Refused(f"the transpose with merged axes stays: {why}")
        return by_node(Transpose(perm), (x,), node, turn, merge)


def merged_axes(shape: Sequence[DimLike], merged: Sequence[DimLike]) -> list[list[int]] | None:
    """For each axis of the second shape the axes of the first that it is made of, in order; None
    if it is not made by merging neighbours."""
    groups: list[list[int]] = []
    axis = 0
    for dim in merged:
        group: list[int] = []
        size: DimLike = 1
        while axis < len(shape) and not (group and equal(size, dim) is True):
            group.append(axis)
            size = size * shape[axis]
            axis += 1
        if not group or equal(size, dim) is not True:
            return None
        groups.append(group)
    rest = range(axis, len(shape))
    if any(shape[a] != 1 for a in rest):
        return None
    if rest:
        groups[-1] += rest
    return groups


def _same(shape: Sequence[DimLike], other: Sequence[DimLike]) -> bool:
    return len(shape) == len(other) and all(
        equal(a, b) is True for a, b in zip(shape, other, strict=True)
    )


@dataclass(frozen=True)
class SimplifyTransposes(RulePass):
    """Reshape(Transpose(Reshape(x))) → Transpose(x), where reshapes merge axes and part them."""

    name = "simplify-transposes"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (TransposeOfMerged(),)
