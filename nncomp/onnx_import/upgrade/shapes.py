"""Older forms of operators that move elements: attributes that became operands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncomp.dims import floordiv
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Value
from nncomp.onnx_import.upgrade.call import Call, Rule, Rules
from nncomp.ops.conversion import Cast
from nncomp.ops.filling import Range
from nncomp.ops.rules import normalize_axis
from nncomp.ops.shape import Reshape, Transpose
from nncomp.types import DType

_EXACT = 2**24  # up to here, every integer is an f32


def operand(name: str, index: int) -> Rule:
    """An attribute, a list of ints, that became the operand `index`."""

    def rule(call: Call) -> None:
        values = call.take_ints(name)
        if values is not None:
            call.put(index, call.ints(values))

    return rule


def slices(call: Call) -> None:
    """Until 10, all of a Slice but its data were attributes."""
    for index, name in enumerate(("starts", "ends", "axes"), start=1):
        operand(name, index)(call)


def pads(call: Call) -> None:
    """Until 11, pads and value were attributes; until 2 the former were called `paddings`."""
    value = call.take_number("value")
    for name in ("paddings", "pads"):
        operand(name, 1)(call)
    call.put(2, call.scalar(value, call.needed(0).type.dtype))


def split_count(call: Call) -> None:
    """Until 18, how many parts there are was how many results the node names."""
    if call.input(1) is None:
        call.put(1, None)
        call.attributes["num_outputs"] = call.outputs


def split_sizes(call: Call) -> None:
    """Until 13, the sizes were an attribute."""
    operand("split", 1)(call)


def concat_axis(call: Call) -> None:
    """Until 4, the axis could be left out."""
    call.attributes.setdefault("axis", 1)


def tile_axis(call: Call) -> None:
    """Until 6, one axis was repeated."""
    x, tiles, axis = call.needed(0), call.needed(1), call.needed(2)
    counts, axes = tiles.type.elements, axis.type.elements
    if not counts or not axes or not isinstance(axes[0], int):
        raise call.refuse("how often and along which axis it repeats must be constants")
    repeats = [1] * x.rank
    if not isinstance(counts[0], int):
        raise call.refuse("how often it repeats must be a constant")
    repeats[normalize_axis(axes[0], x.rank)] = counts[0]
    call.inputs = [x, call.ints(repeats)]


def top_k(call: Call) -> None:
    """Until 10, k was an attribute."""
    call.put(1, call.ints([call.take_int("k")]))


def renamed(name: str) -> Rule:
    """An operator that has another name today."""

    def rule(call: Call) -> None:
        call.op_type = name

    return rule


def upsample_factors(call: Call) -> None:
    """Until 7, Upsample had two attributes."""
    height, width = call.take_number("height_scale"), call.take_number("width_scale")
    call.attributes["scales"] = (1.0, 1.0, float(height), float(width))


def upsample_scales(call: Call) -> None:
    """Until 9, the scales were an attribute."""
    scales = call.take("scales")
    if not isinstance(scales, tuple):
        raise call.wrong("scales")
    call.put(1, call.b.constant(np.array(scales, np.float32)))


def asymmetric(call: Call) -> None:
    """Until 11, Resize took pixel i from i / scale, rounded down, as Upsample did before it."""
    call.inputs = [call.needed(0), None, call.needed(1)]
    call.attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def resize_for_nn(call: Call) -> None:
    """`tf_half_pixel_for_nn` of opset 11 and 12: ⌊(i + ½) / scale⌋ is (i + ½) / scale - ½, rounded
    with halves up."""
    if call.attributes.get("coordinate_transformation_mode") != "tf_half_pixel_for_nn":
        return
    if call.attributes.get("nearest_mode") != "floor":
        raise call.refuse("the mode tf_half_pixel_for_nn is for nearest_mode `floor`")
    call.attributes["coordinate_transformation_mode"] = "half_pixel"
    call.attributes["nearest_mode"] = "round_prefer_ceil"


def without_empty(call: Call) -> None:
    """Regions, scales and sizes of no elements are those that are left out."""
    call.inputs = [
        None if i and v is not None and v.type.shape == (0,) else v
        for i, v in enumerate(call.inputs)
    ]


def reshape_attribute(call: Call) -> None:
    """Until 5, the shape was an attribute."""
    operand("shape", 1)(call)


def vector_axes(call: Call) -> None:
    """One axis may be given without a list around it."""
    axes = call.input(1)
    if axes is not None and axes.rank == 0:
        elements = axes.type.elements
        if elements is None or not isinstance(elements[0], int):
            raise call.refuse("its axes must be constants")
        call.put(1, call.ints([elements[0]]))


def long_axes(call: Call) -> None:
    """Operands that count are i64: constants of i32 are taken where the schema has both."""
    for index, value in enumerate(call.inputs[1:], start=1):
        if value is not None and value.type.dtype is DType.I32 and value.node is not None:
            op = value.node.op
            if isinstance(op, Constant):
                call.put(index, call.b.constant(op.value.array.astype(np.int64)))


def space_order(call: Call) -> Sequence[Value] | None:
    """From 28 on, channels of SpaceToDepth may be in front of the places in a block ("CRD")."""
    mode = call.take("mode", "DCR")
    if mode == "DCR":
        return None
    x, k = call.needed(0), call.take_int("blocksize")
    if mode != "CRD" or x.rank != 4 or k < 1:
        raise call.refuse(f"mode {mode!r:.20} with blocks of {k} of {x.type}")
    b = call.b
    n, c, h, w = x.shape
    rows, columns = floordiv(h, k), floordiv(w, k)
    blocks = b(Reshape(), x, b.dims((n, c, rows, k, columns, k)))
    moved = b(Transpose((0, 1, 3, 5, 2, 4)), blocks)
    return [b(Reshape(), moved, b.dims((n, c * k * k, rows, columns)))]


def whole_range(call: Call) -> Sequence[Value] | None:
    """A range of floats up to a size (`torch.arange(width, dtype=torch.float32)`) counts in
    integers, of which it is known how many there are."""
    ends = [call.needed(i) for i in range(3)]
    dtype = ends[0].type.dtype
    if not dtype.is_float or not any(_is_cast(end) for end in ends):
        return None
    whole = [_whole(call.b, end) for end in ends]
    if any(end is None for end in whole):
        return None
    return [call.b(Cast(dtype), call.b(Range(), *whole))]


def _is_cast(value: Value) -> bool:
    return value.node is not None and isinstance(value.node.op, Cast)


def _whole(b: Builder, value: Value) -> Value | None:
    """The number as an i64, if it is an integer that was cast, or a constant that holds an exact
    integer."""
    node, floats = value.node, value.type.floats
    if node is not None and isinstance(node.op, Cast) and node.operands[0].type.dtype.is_int:
        (x,) = node.operands
        return x if x.type.dtype is DType.I64 else b(Cast(DType.I64), x)
    if floats is not None and all(n.is_integer() and abs(n) < _EXACT for n in floats):
        return b.constant(np.full(value.type.static_shape, floats, np.int64))
    return None


_REDUCTIONS = (
    *("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2"),
    *("ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"),
)

RULES: Rules = {
    **{name: [(18, operand("axes", 1)), (99, vector_axes)] for name in _REDUCTIONS},
    "ReduceSum": [(13, operand("axes", 1)), (99, vector_axes)],
    "Squeeze": [(13, operand("axes", 1)), (99, vector_axes)],
    "Unsqueeze": [(13, operand("axes", 1)), (99, vector_axes)],
    "Slice": [(10, slices), (99, long_axes)],
    "Pad": [(11, pads)],
    "Split": [(13, split_sizes), (18, split_count)],
    "Concat": [(4, concat_axis)],
    "Range": [(99, whole_range)],
    "SpaceToDepth": [(99, space_order)],
    "Tile": [(6, tile_axis)],
    "TopK": [(10, top_k)],
    "Reshape": [(5, reshape_attribute)],
    "Scatter": [(99, renamed("ScatterElements"))],
    "Upsample": [(7, upsample_factors), (9, upsample_scales), (99, renamed("Resize"))],
    "Resize": [(11, asymmetric), (13, resize_for_nn), (99, without_empty)],
}
