"""Older forms of layers: normalisation, pooling, products, recurrence."""

from __future__ import annotations

from nncomp.dims import equal
from nncomp.ir.graph import Value
from nncomp.onnx_import.upgrade.call import Call, Rule, Rules
from nncomp.ops.shape import Expand, Reshape, Unsqueeze
from nncomp.types import DType


def without(*names: str) -> Rule:
    """Attributes that never changed a result."""

    def rule(call: Call) -> None:
        for name in names:
            call.take(name)

    return rule


def batch_norm(call: Call) -> None:
    """Until 14, more than one result that is read (until 7: `is_test=0`) meant training; the
    statistics of 1 to 6 were those of the batch only in training, which is not imported."""
    call.take("is_test")
    if call.take_int("spatial", 1) != 1:
        x, *vectors = (call.needed(i) for i in range(5))
        if any(v.rank != 1 for v in vectors) or x.rank > 2:
            raise call.refuse("statistics for each element (`spatial=0`)")
    if not call.only_first():
        raise call.refuse("its results beyond the first are those of training")
    call.outputs = 1


def broadcast_bias(call: Call) -> None:
    """Until 7, C of Gemm was broadcast only where `broadcast` says so."""
    call.take("broadcast")


def whole_power(call: Call) -> None:
    """Until 2, the p of a pool was a float."""
    p = call.take_number("p", 2.0)
    if p != int(p):
        raise call.refuse(f"the norm p={p} is no whole number")
    call.attributes["p"] = int(p)


def group_scales(call: Call) -> None:
    """Until 21, scale and bias were given by group, not by channel."""
    channels = call.needed(0).shape[1]
    for index in (1, 2):
        given = call.needed(index)
        if equal(given.shape[0], channels) is not True:
            call.put(index, _repeated(call, given, channels))


def _repeated(call: Call, given: Value, channels: object) -> Value:
    """[a, b] as [a, a, b, b]."""
    groups = given.shape[0]
    if not isinstance(channels, int) or not isinstance(groups, int) or channels % groups:
        raise call.refuse(f"{groups} groups do not divide {channels} channels")
    b = call.b
    column = b(Unsqueeze(), given, b.ints(1))
    wide = b(Expand(), column, b.ints(groups, channels // groups))
    return b(Reshape(), wide, b.ints(channels))


_GRID_MODES = {"bilinear": "linear", "bicubic": "cubic"}


def grid_mode(call: Call) -> None:
    """Until 20, two modes had other names."""
    mode = call.attributes.get("mode")
    if isinstance(mode, str):
        call.attributes["mode"] = _GRID_MODES.get(mode, mode)


def region_corners(call: Call) -> None:
    """Until 16, regions of RoiAlign were not shifted by half a pixel."""
    call.attributes.setdefault("coordinate_transformation_mode", "output_half_pixel")


def fourier_axis(call: Call) -> None:
    """Until 20, the axis was an attribute, 1 without one."""
    call.put(2, call.scalar(call.take_int("axis", 1), DType.I64))


RULES: Rules = {
    "BatchNormalization": [(14, batch_norm)],
    "Gemm": [(7, broadcast_bias)],
    "LpPool": [(2, whole_power)],
    "GlobalLpPool": [(2, whole_power)],
    "GroupNormalization": [(21, group_scales)],
    "GridSample": [(20, grid_mode)],
    "RoiAlign": [(16, region_corners)],
    "DFT": [(20, fourier_axis)],
    "GRU": [(7, without("output_sequence"))],
    "LSTM": [(7, without("output_sequence"))],
    "RNN": [(7, without("output_sequence"))],
}
