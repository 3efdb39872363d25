"""Bodies of elementwise operators."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from nncomp.backends.ort.bodies.body import Body, Target, constant_cost, operand
from nncomp.dims import equal_shapes
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.forms import reshape
from nncomp.ops.shape import Reshape, Unsqueeze
from nncomp.ops.windows import known

_MANY = 4096  # numbers, from which two reshapes cost less than they save


def _trailing_ones(value: Value) -> int:
    """How many of the last dims are 1."""
    shape = value.shape
    count = 0
    while count < len(shape) and shape[-1 - count] == 1:
        count += 1
    return count


def _shorter_refuses(node: Node, target: Target) -> str | None:
    if target.provider != "cpu":
        return "only the CPU goes number by number"
    if not _trailing_ones(node.outputs[0]):
        return "its last dim is not 1"
    if equal_shapes(operand(node, 0).shape, operand(node, 1).shape):
        return "nothing is broadcast"
    known = [size for size in node.outputs[0].shape if isinstance(size, int)]
    return None if prod(known) >= _MANY else "it has few numbers"


def _shorter(b: Builder, node: Node) -> Value:
    """Without the last dims, where they are 1: onnxruntime broadcasts along runs of numbers, and a
    last dim of 1 makes every number a run. A learning rate times f32[1280, 320, 1, 1] takes 20
    times as long as times f32[1280, 320]."""
    y = node.outputs[0]
    dropped = _trailing_ones(y)
    x, z = (_without(b, operand(node, index), dropped) for index in range(2))
    return reshape(b, b(replace(node.op), x, z), *y.shape)


def _without(b: Builder, value: Value, dropped: int) -> Value:
    """Without so many of the last dims, as it was before a reshape gave it these."""
    shape, node = value.shape[: value.rank - min(dropped, value.rank)], value.node
    if node is not None and isinstance(node.op, Reshape | Unsqueeze):
        given = node.operands[0]
        if given.shape == shape:
            return given
    if node is not None and isinstance(node.op, Constant) and len(shape) < value.rank:
        return b.constant(node.op.value.array.reshape([known(size) for size in shape]))
    return reshape(b, value, *shape) if len(shape) < value.rank else value


BODIES = tuple(
    Body("without-last-ones", op, _shorter_refuses, constant_cost(0.5), _shorter)
    for op in (Add, Sub, Mul, Div)
)
