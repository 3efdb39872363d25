"""Between which bounds an integer input makes sense, by what the graph does with it.

From each input the walk follows operators that hand its numbers on (reshapes, slices, sums with a
constant, bodies of control flow) to those that want an index, a label, a length or a count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nncomp.dims import DimLike, minimum
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.comparison import Comparison
from nncomp.ops.containers import SequenceAt
from nncomp.ops.control import If, Loop
from nncomp.ops.conversion import Cast, Identity, Where
from nncomp.ops.elementwise import Add, Div, Mod, Sub
from nncomp.ops.filling import Range
from nncomp.ops.indexing import (
    Gather,
    GatherElements,
    GatherGrad,
    OneHot,
    ScatterElements,
    TopK,
)
from nncomp.ops.indexing_nd import GatherND, ScatterND
from nncomp.ops.loss import ClassLoss
from nncomp.ops.sequences import ReverseSequence, TensorScatter
from nncomp.ops.shape import Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.ops.shape_joining import Concat, Split, Tile
from nncomp.ops.shape_slicing import Slice
from nncomp.types import UNSIGNED

SEVERAL = 3  # runs of a loop
TENSORS = 3  # in a sequence


@dataclass(frozen=True)
class Bounds:
    """Both bounds are within; `high` may depend on sizes. `counts` says that the number is how
    often a loop runs."""

    low: int
    high: DimLike
    counts: bool = False


_FIRST_HANDED_ON = (
    *(Cast, Identity, Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Expand, Tile, Slice),
    *(Split, Gather, GatherElements, GatherND),
)


def bounds_of(graph: Graph) -> dict[str, Bounds]:
    """For each integer input by name what all of its readers take."""
    found = {}
    for value in graph.inputs:
        if value.type.dtype.is_int:
            hard, compared = _needs(graph, value)
            found[value.name] = _together(hard, compared, value)
    return found


def _together(hard: list[Bounds], compared: list[int], value: Value) -> Bounds:
    if hard:
        high = hard[0].high
        for other in hard[1:]:
            high = minimum(high, other.high)
        return Bounds(max(b.low for b in hard), high, any(b.counts for b in hard))
    low = 0 if value.type.dtype in UNSIGNED else -4
    return Bounds(min([low, *(c - 1 for c in compared)]), max([9, *(c + 1 for c in compared)]))


def _needs(graph: Graph, start: Value) -> tuple[list[Bounds], list[int]]:
    """What readers demand, and the constants that it is compared with."""
    hard: list[Bounds] = []
    compared: list[int] = []
    pending: list[tuple[Graph, Value, int]] = [(graph, start, 0)]
    seen: set[Value] = set()
    while pending:
        holder, value, offset = pending.pop()
        if value in seen:
            continue
        seen.add(value)
        for node in holder.uses.get(value, ()):
            for place, operand in enumerate(node.inputs):
                if operand is not value:
                    continue
                need = _demand(node, place)
                if need is not None:
                    low, high = need.low - offset, need.high - offset
                    hard.append(Bounds(low, high, need.counts))
                if isinstance(node.op, Comparison):
                    compared += [c - offset for c in _constant(node.inputs[1 - place])]
                pending += [(g, v, offset + by) for g, v, by in _handed_on(holder, node, place)]
    return hard, compared


def _demand(node: Node, place: int) -> Bounds | None:
    op, inputs = node.op, node.inputs
    shape = inputs[0].shape if inputs and inputs[0] is not None else ()
    match op, place:
        case ((Gather() | GatherElements() | ScatterElements()), 1):
            return Bounds(0, shape[op.axis] - 1)
        case SequenceAt(), 1:
            return Bounds(0, TENSORS - 1)
        case GatherGrad(), 1:
            return Bounds(0, node.outputs[0].shape[op.axis] - 1)
        case ((GatherND() | ScatterND()), 1):
            indices = inputs[1]
            depth = indices.shape[-1] if indices is not None and indices.rank else 1
            first = op.batch_dims if isinstance(op, GatherND) else 0
            named = shape[first : first + depth] if isinstance(depth, int) else shape
            return Bounds(0, _least(named) - 1)
        case OneHot(), 0:
            depth_value = inputs[1]
            known = depth_value.type.elements if depth_value is not None else None
            return Bounds(0, known[0] - 1) if known else None
        case ClassLoss(), 1:
            return Bounds(0, shape[1] - 1)
        case TopK(), 1:
            return Bounds(1, shape[op.axis])
        case ReverseSequence(), 1:
            return Bounds(1, shape[op.time_axis])
        case TensorScatter(), 2:
            update = inputs[1]
            assert update is not None
            return Bounds(0, shape[op.axis] - update.shape[op.axis])
        case Slice(), (1 | 2):
            return Bounds(0, _least(shape))
        case Loop(), 0:
            return Bounds(0, SEVERAL, counts=True)
        case Range(), _:
            return Bounds(1, 5)
        case ((Div() | Mod()), 1):
            return Bounds(1, 9)
    return None


def _least(dims: tuple[DimLike, ...]) -> DimLike:
    least = dims[0]
    for dim in dims[1:]:
        least = minimum(least, dim)
    return least


def _handed_on(graph: Graph, node: Node, place: int) -> Iterator[tuple[Graph, Value, int]]:
    """Where the numbers of an operand appear again, and what has been added to them."""
    op = node.op
    if op.bodies:
        lead = 1 if isinstance(op, If) else 0
        if place >= lead:
            yield from ((body, body.inputs[place - lead], 0) for body in op.bodies)
        return
    handed = (
        (isinstance(op, _FIRST_HANDED_ON) and place == 0)
        or isinstance(op, Concat)
        or (isinstance(op, Where) and place > 0)
    )
    if handed and node.outputs[0].type.dtype.is_int:
        yield from ((graph, value, 0) for value in node.outputs)
    if isinstance(op, Add) or (isinstance(op, Sub) and place == 0):
        for added in set(_constant(node.inputs[1 - place])):
            yield graph, node.outputs[0], added if isinstance(op, Add) else -added


def _constant(value: Value | None) -> list[int]:
    """The numbers of a small integer constant."""
    if value is None or value.node is None or not isinstance(value.node.op, Constant):
        return []
    array = value.node.op.value.array
    return (
        [int(n) for n in array.reshape(-1)] if array.dtype.kind in "iu" and array.size < 9 else []
    )
