"""Every k-th row and column taken apart and put beside each other, as one transpose.

    Concat(x[0::2], x[1::2], axis=c)  =  Reshape(Transpose(Reshape(x)))

The reshape parts each axis that is sliced into [size / k, k], and the transpose brings the k's
before axis c: the patches that Swin merges, four slices of slices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.shape import Reshape, Transpose
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Slice
from nncomp.passes.eliminate_no_ops import operand
from nncomp.passes.patterns import why_not_closed
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass
from nncomp.passes.simplify_shapes import plain_shape

_FEWEST = 4  # nodes that three take the place of


@dataclass(frozen=True)
class Taken:
    """What is left of x after slices: by axis from where on, and every how manieth."""

    x: Value
    starts: dict[int, int]
    steps: dict[int, int]
    nodes: tuple[Node, ...]


class MergePatches(Rule):
    """Concat(x[0::2, 0::2], x[1::2, 0::2], …) → Reshape(Transpose(Reshape(x))), if the slices take
    each number once, in the order of their beginnings, and nothing else reads them."""

    name = "merge-patches"
    roots = (Concat,)

    def match(self, node: Node, facts: Facts) -> Answer:
        parts = [_taken(value) for value in node.operands]
        first = parts[0]
        if first is None or not first.steps or len(node.operands) < 2:
            return None
        others = [part for part in parts if part is not None and part.x is first.x]
        if len(others) < len(parts) or any(part.steps != first.steps for part in others):
            return None
        x, steps = first.x, first.steps
        assert isinstance(node.op, Concat)
        axis = node.op.axis % x.rank
        order = _order([part.starts for part in others], steps)
        if order is None or axis in steps:
            return None
        nodes = tuple(dict.fromkeys((node, *(n for part in others for n in part.nodes))))
        if len(nodes) < _FEWEST:
            return None
        if why := why_not_closed(facts, nodes, node):
            return Refused(f"the patches stay apart: {why}")
        return Replacement(lambda b: _merged(b, x, steps, order, axis, node.outputs[0]), nodes)


def _taken(value: Value) -> Taken | None:
    """The slices that the value is of, from inside out, as far as they take whole axes."""
    starts: dict[int, int] = {}
    steps: dict[int, int] = {}
    nodes = []
    while (node := operand(value, Slice)) is not None:
        found = _whole(node)
        if found is None or not steps.keys().isdisjoint(found):
            break
        starts |= {axis: start for axis, (start, _) in found.items()}
        steps |= {axis: step for axis, (_, step) in found.items()}
        nodes.append(node)
        value = node.operands[0]
    return Taken(value, starts, steps, tuple(nodes)) if nodes else None


def _whole(node: Node) -> dict[int, tuple[int, int]] | None:
    """Where a Slice begins and its step, by axis; None if it leaves numbers to no other one."""
    types = [v.type if v is not None else None for v in node.inputs]
    if any(t is not None and t.elements is None for t in types[1:]):
        return None
    assert isinstance(node.op, Slice)
    shape = node.operands[0].shape
    found: dict[int, tuple[int, int]] = {}
    for s in node.op.stretches(*types):  # type: ignore[arg-type]
        size = shape[s.axis]
        if s.step == 1 and s.start == 0 and s.count == size:
            continue
        whole = isinstance(size, int) and isinstance(s.start, int) and 0 <= s.start < s.step
        if not whole or s.count != -(-(size - s.start) // s.step):
            return None
        found[s.axis] = int(str(s.start)), s.step
    return found


def _order(starts: Sequence[dict[int, int]], steps: dict[int, int]) -> list[int] | None:
    """The axes, the one whose beginning changes least often first; None if the beginnings do not
    count through all of them."""
    if len(starts) != math.prod(steps.values()):
        return None
    first_change = {a: next((i for i, s in enumerate(starts) if s[a]), 0) for a in steps}
    order = sorted(steps, key=lambda a: -first_change[a])
    for number, found in enumerate(starts):
        for axis in reversed(order):
            number, digit = divmod(number, steps[axis])
            if found[axis] != digit:
                return None
    return order


def _merged(
    b: Builder, x: Value, steps: dict[int, int], order: Sequence[int], axis: int, y: Value
) -> Value:
    apart: list[DimLike] = []
    place: dict[int, int] = {}  # of the part of an axis that counts the slices
    kept: list[tuple[int, int]] = []  # the old axes, and where they are
    for old, size in enumerate(x.shape):
        kept.append((old, len(apart)))
        if old in steps:
            place[old] = len(apart) + 1
            apart += [size // steps[old], steps[old]]
        else:
            apart.append(size)
    perm: list[int] = []
    for old, new in kept:
        perm += [place[a] for a in order] * (old == axis)
        perm.append(new)
    parted = _reshaped(b, x, apart)
    return _reshaped(b, b(Transpose(tuple(perm)), parted), y.shape)


def _reshaped(b: Builder, x: Value, shape: Sequence[DimLike]) -> Value:
    plain = plain_shape(x, tuple(shape))
    return b(Reshape(), x, b.dims(tuple(shape)) if plain is None else b.ints(*plain))


@dataclass(frozen=True)
class FusePatches(RulePass):
    """Concat(x[0::2, 0::2], x[1::2, 0::2], …) → Reshape(Transpose(Reshape(x)))."""

    name = "fuse-patches"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (MergePatches(),)
