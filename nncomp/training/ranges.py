"""Which numbers an integer input may hold: a class has a logit, an index has a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.comparison import Equal
from nncomp.ops.conversion import Cast
from nncomp.ops.indexing import Gather, GatherElements, OneHot
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.shape import Expand, Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.ops.shape_slicing import Slice
from nncomp.types import TensorType

_SAME_NUMBERS = (Cast, Expand, Reshape, Slice, Squeeze, Transpose, Unsqueeze)


@dataclass(frozen=True)
class Range:
    """The numbers low … high - 1, and one more that counts for nothing."""

    low: int
    high: int
    ignored: int | None = None

    def __str__(self) -> str:
        beside = f", or {self.ignored}" if self.ignored is not None else ""
        return f"{self.low} to {self.high - 1}{beside}"


def ranges(graph: Graph) -> dict[str, Range]:
    """By input, the tightest range among those of its uses as a class or an index."""
    found: dict[str, Range] = {}
    for value in graph.inputs:
        if value.type.dtype.is_int:
            limits = list(_limits(graph, value))
            if limits:
                found[value.name] = min(limits, key=lambda limit: limit.high - limit.low)
    return found


def _limits(graph: Graph, value: Value) -> Iterator[Range]:
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        for node in graph.uses.get(current, ()):
            if isinstance(node.op, _SAME_NUMBERS):
                result = node.outputs[0]
                if current is node.operands[0] and result.type.dtype.is_int and result not in seen:
                    seen.add(result)
                    pending.append(result)
            else:
                limit = _limit(node, current)
                if limit:
                    yield limit


def _limit(node: Node, value: Value) -> Range | None:
    """What the node can take for the value."""
    first, op = node.operands[0].type, node.op
    if isinstance(op, Equal):  # one_hot: against 0, 1, … along the last axis
        other = next((v.type for v in node.operands if v is not value), first)
        return _counted(other)
    if len(node.operands) < 2:
        return None
    if isinstance(op, OneHot):
        depth = node.operands[1].type.elements
        size = depth[0] if value is node.operands[0] and depth else None
        return Range(-size, size) if isinstance(size, int) else None
    if value is not node.operands[1]:
        return None
    if isinstance(op, SoftmaxCrossEntropyLoss):
        size = first.shape[1]
        return Range(0, size, op.ignore_index) if isinstance(size, int) else None
    if isinstance(op, Gather | GatherElements):
        size = first.shape[op.axis % first.rank]
        return Range(-size, size) if isinstance(size, int) else None
    return None


def _counted(type: TensorType) -> Range | None:
    size = type.shape[-1] if type.rank else None
    if not isinstance(size, int) or size < 2 or type.elements != tuple(range(size)):
        return None
    return Range(0, size)
