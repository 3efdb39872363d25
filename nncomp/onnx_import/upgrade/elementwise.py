"""Older forms of elementwise operators and of what works along one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from nncomp.ir.graph import Value
from nncomp.ir.op import Data
from nncomp.onnx_import.upgrade.call import Call, Rules
from nncomp.ops import REGISTRY
from nncomp.ops.conversion import Cast
from nncomp.ops.filling import ConstantOfShape
from nncomp.ops.rules import normalize_axis
from nncomp.ops.shape import Flatten, Reshape, Shape, Unsqueeze

_LARGEST = 3.4028234e38  # of 32 bits: what Clip took for no bound


def align(call: Call) -> None:
    """Until 7, the second operand was broadcast only with `broadcast`, from `axis` on."""
    broadcast, axis = call.take_int("broadcast"), call.take("axis")
    if not broadcast or axis is None:
        return
    if not isinstance(axis, int):
        raise call.wrong("axis")
    a, b = call.needed(0), call.needed(1)
    behind = a.rank - normalize_axis(axis, max(a.rank, 1)) - b.rank
    if behind > 0:
        axes = call.ints(range(b.rank, b.rank + behind))
        call.put(1, call.b(Unsqueeze(), b, axes))


def bounds(call: Call) -> None:
    """Until 11, the bounds of Clip were attributes."""
    dtype = call.needed(0).type.dtype
    low, high = call.take_number("min", -_LARGEST), call.take_number("max", _LARGEST)
    if low > -_LARGEST:
        call.put(1, call.scalar(low, dtype))
    if high < _LARGEST:
        call.put(2, call.scalar(high, dtype))


def flat_softmax(call: Call) -> Sequence[Value] | None:
    """Until 13, all axes from `axis` (1) on were one."""
    x = call.needed(0)
    axis = call.take_int("axis", 1)
    axis = normalize_axis(axis, x.rank) if x.rank else 0
    if axis == x.rank - 1:
        call.attributes["axis"] = -1
        return None
    flat = call.b(Flatten(axis), x)
    y = call.b(REGISTRY[call.op_type](axis=-1), flat)  # type: ignore[call-arg]
    return [call.b(Reshape(), y, call.b.dims(x.shape))]


def channel_slope(call: Call) -> None:
    """Until 7, a vector of slopes was one for each channel."""
    x, slope = call.needed(0), call.needed(1)
    if slope.rank == 1 and x.rank > 2 and slope.shape[0] != 1:
        axes = call.ints(range(1, x.rank - 1))
        call.put(1, call.b(Unsqueeze(), slope, axes))


def cast_by_name(call: Call) -> None:
    """Until 6, the dtype was a text."""
    to = call.attributes.get("to")
    if isinstance(to, str):
        if to not in set(onnx.TensorProto.DataType.keys()):
            raise call.wrong("to")
        call.attributes["to"] = onnx.TensorProto.DataType.Value(to)


def inference_dropout(call: Call) -> Sequence[Value] | None:
    """Until 12, the ratio was an attribute; what runs for inference drops nothing."""
    x = call.needed(0)
    if call.only_first():
        return [x]
    shape = call.b(Shape(), x)
    ones = call.b(ConstantOfShape(Data(np.array([True]))), shape)
    return [x, ones if call.opset >= 10 else call.b(Cast(x.type.dtype), ones)]


_BROADCASTING = (
    *("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"),
)

RULES: Rules = {
    **{name: [(7, align)] for name in _BROADCASTING},
    **{name: [(13, flat_softmax)] for name in ("Softmax", "LogSoftmax", "Hardmax")},
    "Clip": [(11, bounds)],
    "PRelu": [(7, channel_slope)],
    "Cast": [(6, cast_by_name)],
    "Dropout": [(12, inference_dropout)],
}
