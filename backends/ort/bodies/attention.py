"""Attention: onnxruntime's mask has a row for every query; ONNX's broadcasts."""

from __future__ import annotations

import dataclasses

from nncomp.backends.ort.bodies.body import Body, Target, constant_cost, operand
from nncomp.dims import DimLike, equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.attention import Attention
from nncomp.ops.shape import Expand

_FIRST_OPSET = 23
_MASK = 3


def _queries(node: Node) -> DimLike:
    return operand(node, 0).shape[-2]


def _has_rows(node: Node, target: Target) -> str | None:
    if target.opset is not None and target.opset < _FIRST_OPSET:
        return f"opset {target.opset} has no Attention"
    mask = node.inputs[_MASK] if len(node.inputs) > _MASK else None
    if mask is None or mask.rank < 2:
        return "it has no mask that broadcasts along its queries"
    if equal(mask.shape[-2], _queries(node)) is True:
        return "its mask has a row for every query"
    return None


def _expanded(b: Builder, node: Node) -> tuple[Value, ...]:
    mask = operand(node, _MASK)
    rows = b(Expand(), mask, b.dims((*mask.shape[:-2], _queries(node), mask.shape[-1])))
    assert isinstance(node.op, Attention)
    inputs = (*node.inputs[:_MASK], rows, *node.inputs[_MASK + 1 :])
    names = tuple(value.name for value in node.outputs)
    return b.add(dataclasses.replace(node.op), inputs, names).outputs


BODIES = (Body("rows-of-the-mask", Attention, _has_rows, constant_cost(1.0), _expanded),)
