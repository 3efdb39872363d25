"""Pad over all axes: onnxruntime's optimiser carries a Transpose through a Pad of some axes and
permutes the pads as if they were of all. ONNX's function for CenterCropPad has such a Pad."""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Results, Target, always, constant_cost, operand
from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.shape_slicing import CenterCropPad, Pad


def _names_axes(node: Node, target: Target) -> str | None:
    if len(node.inputs) <= 3 or node.inputs[3] is None:
        return "it names no axes"
    known = operand(node, 1).type.elements is not None
    return None if known else "each run says how much is padded"


def _pad_all(b: Builder, node: Node) -> Value:
    assert isinstance(node.op, Pad)
    x, pads, axes = (operand(node, i) for i in (0, 1, 3))
    before: list[DimLike] = [0] * x.type.rank
    after: list[DimLike] = [0] * x.type.rank
    for axis, first, last in Pad.amounts(x.type, pads.type, axes.type):
        before[axis], after[axis] = first, last
    return b(Pad(node.op.mode), x, b.dims((*before, *after)), node.inputs[2])


def _crop_and_pad(b: Builder, node: Node) -> Results:
    results: Results = node.op.decompose(b, *node.inputs)
    return results


BODIES = (
    Body("all-axes", Pad, _names_axes, constant_cost(1.0), _pad_all),
    Body("slices-and-pads", CenterCropPad, always, constant_cost(1.0), _crop_and_pad),
)
