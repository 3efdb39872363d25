"""Receptive fields: how much of the input one element of a result can see, along each axis.

A window of k taps, d apart, at a stride of s, on what sees r elements that lie j apart in the
input, sees r + (k − 1)·d·j, and its results lie j·s apart (Araujo et al., "Computing Receptive
Fields of Convolutional Neural Networks", Distill, 2019). Stride 1 throughout gives 1 + Σ (k−1)·d.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from nncomp.inspect.cost import Measure
from nncomp.inspect.families import family
from nncomp.inspect.tables import Column, Table
from nncomp.inspect.units import shape
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.convolution import Convolution

_POOLS = frozenset(["MaxPool", "AveragePool", "LpPool"])
_TRANSPOSED = frozenset(["ConvTranspose", "ConvInputGrad"])
_SAME_AXES = frozenset(
    ["Pad", "Slice", "Split", "BatchNormalization", "Dropout", "Identity", "StopGradient", "Cast"]
)
_BY_ELEMENT = frozenset(["elementwise", "activation"])
_LOOKS_UP = frozenset(["Gather", "OneHot"])
_INDICES = 1  # the operand of Gather
_OVER_AN_AXIS = frozenset(["Softmax", "LogSoftmax", "Hardmax"])


@dataclass(frozen=True)
class Field:
    """Of one axis of a value. axis: of the input that it follows; size: elements that are seen,
    None for all; jump: elements of the input from one element here to the next"""

    axis: int
    size: int | None
    jump: Fraction = Fraction(1)


Fields = tuple[Field | None, ...]  # by axis; None follows no axis of the input


@dataclass(frozen=True)
class Seen:
    """What a node's first result sees of the input, by axis of the result."""

    node: Node
    fields: Fields

    @property
    def sizes(self) -> list[int | None]:
        """By axis of the input, but for batch and channels; None is all of it."""
        found = sorted((f for f in self.fields if f is not None), key=lambda f: f.axis)
        return [f.size for f in found]


def receptive_fields(graph: Graph, sizes: Mapping[str, int] | None = None) -> list[Seen]:
    """What each node sees of the first input with spatial axes, or of tokens, as far as windows
    tell; nothing of nodes that mix all places, such as attention.

    sizes: of symbolic dims by name
    """
    measure = Measure(sizes or {})
    start = next((v for v in graph.inputs if v.rank >= 3 and v.type.dtype.is_float), None)
    start = start or next((v for v in graph.inputs if v.rank == 2 and v.type.dtype.is_int), None)
    if start is None:
        return []
    known: dict[Value, Fields | None] = {  # None: who knows which places
        start: (None, *(Field(axis, 1) for axis in range(1, start.rank)))
    }
    found: list[Seen] = []
    for node in graph.nodes:
        if isinstance(node.op, Constant) or not any(v in known for v in node.operands):
            continue
        fields = _after(node, known, measure)
        for value in node.outputs:
            known[value] = fields if fields and value.rank == len(fields) else None
        if fields is not None:
            found.append(Seen(node, fields))
    return found


def _after(node: Node, known: Mapping[Value, Fields | None], measure: Measure) -> Fields | None:
    op, name = node.op, node.op.name
    if name == "Concat" or (family(op) in _BY_ELEMENT and name not in _OVER_AN_AXIS):
        operands = [known[v] for v in node.operands if v in known]
        return _merged([f for f in operands if f is not None], node) if all(operands) else None
    first = node.inputs[_INDICES if name == "Gather" else 0]
    fields = known.get(first) if first is not None else None
    if fields is None:
        return None
    if isinstance(op, Convolution) and name not in _TRANSPOSED:
        assert node.inputs[1] is not None
        kernel = measure.shape(node.inputs[1])[2:]
        return _windows(node, (fields[0], None), fields[2:], kernel)
    if name in _LOOKS_UP:  # an embedding, [N, T] to [N, T, D]
        return (*fields, None) if node.outputs[0].rank == len(fields) + 1 else None
    if name in _POOLS:
        return _windows(node, fields[:2], fields[2:], tuple(getattr(op, "kernel_shape", ())))
    if name.startswith("Global"):
        return (*fields[:2], *(_all_of(field) for field in fields[2:]))
    if name == "Transpose":
        order = getattr(op, "perm", None) or tuple(reversed(range(len(fields))))
        return tuple(fields[axis] for axis in order)
    if name in _OVER_AN_AXIS:
        axis = getattr(op, "axis", -1) % len(fields)
        return tuple(_all_of(f) if i == axis else f for i, f in enumerate(fields))
    # a crop in steps of one leaves each element what it saw
    return fields if name in _SAME_AXES else None


def _windows(
    node: Node, front: Sequence[Field | None], fields: Fields, kernel: Sequence[int]
) -> Fields:
    ones = (1,) * len(kernel)
    strides = getattr(node.op, "strides", None) or ones
    dilations = getattr(node.op, "dilations", None) or ones
    back = [
        None
        if f is None
        else Field(
            f.axis,
            None if f.size is None else f.size + int((k - 1) * d * f.jump),
            f.jump * s,
        )
        for f, k, s, d in zip(fields, kernel, strides, dilations, strict=True)
    ]
    return (*front, *back)


def _all_of(field: Field | None) -> Field | None:
    return None if field is None else Field(field.axis, None, field.jump)


def _merged(operands: Sequence[Fields], node: Node) -> Fields:
    """Of operands side by side, aligned at their last axes, the larger field."""
    rank = node.outputs[0].rank
    result: list[Field | None] = [None] * rank
    for fields in operands:
        for place, field in enumerate(fields, rank - len(fields)):
            result[place] = _larger(result[place], field)
    return tuple(result)


def _larger(one: Field | None, other: Field | None) -> Field | None:
    if one is None or other is None:
        return one or other
    if one.size is None or other.size is None:
        return Field(one.axis, None, max(one.jump, other.jump))
    return one if one.size >= other.size else other


def receptive_table(graph: Graph, sizes: Mapping[str, int] | None = None) -> Table:
    """A row for each node with windows, and what the last of them sees."""
    columns = (
        Column("block", number=False),
        Column("operator", number=False),
        Column("output", number=False),
        Column("field", "receptive field", number=False),
        Column("stride", "stride", number=False),
    )
    rows = []
    for seen in receptive_fields(graph, sizes):
        windows = isinstance(seen.node.op, Convolution) or seen.node.op.name in _POOLS
        whole = seen.node.op.name.startswith("Global")
        if windows or whole:
            spatial = [f for f in seen.fields[2:] if f is not None]
            rows.append(
                (
                    seen.node.origin.scope,
                    seen.node.op.name,
                    shape(seen.node.outputs[0].type),
                    "×".join("all" if f.size is None else str(f.size) for f in spatial),
                    "×".join(str(f.jump) for f in spatial),
                )
            )
    note = () if rows else ("no convolution or pooling follows an input with spatial axes",)
    return Table("receptive fields", columns, tuple(rows), note)
