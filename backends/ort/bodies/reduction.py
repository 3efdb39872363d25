"""Bodies of reductions."""

from __future__ import annotations

from dataclasses import replace

from nncomp.backends.ort.bodies.body import Body, Target, constant_cost, operand
from nncomp.dims import product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.forms import full, other_axes, reshape
from nncomp.ops.linear import MatMul
from nncomp.ops.reduction import ReduceMean, ReduceSum, Reduction
from nncomp.types import DType

_PIXELS = 32  # of a channel, from which two passes are not slower than one
_COLUMNS = 64  # from which a product is not slower than a sum


def _reduced(node: Node) -> tuple[int, ...]:
    op = node.op
    assert isinstance(op, Reduction)
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    return op.axes(operand(node, 0).type, axes.type if axes is not None else None)


def _two_steps_refuse(node: Node, target: Target) -> str | None:
    x = operand(node, 0)
    if x.rank < 3 or _reduced(node) != other_axes(x.rank):
        return "it is not over all axes but the channels'"
    if target.provider != "cpu":
        return "only the CPU is faster in two steps"
    if x.type.dtype not in (DType.F32, DType.F64):
        return "a mean of rounded means is another number"
    pixels = product(x.shape[2:])
    if not isinstance(pixels, int):
        return "spatial sizes are symbolic"
    return None if pixels >= _PIXELS else "the channels have few pixels"


def _two_steps(b: Builder, node: Node) -> Value:
    """Over the pixels, which lie beside each other, then over the batch: up to a third faster
    where there are many small images."""
    x, op = operand(node, 0), replace(node.op)
    of_each = b(op, x, b.ints(*range(2, x.rank)))
    return b(op, of_each, b.ints(0))


def _ones_refuse(node: Node, target: Target) -> str | None:
    x, axes = operand(node, 0), _reduced(node)
    if not axes or axes != tuple(range(len(axes))) or len(axes) == x.rank:
        return "it is not over the first axes alone"
    if target.provider != "cpu":
        return "only the CPU sums faster by a product"
    if x.type.dtype not in (DType.F32, DType.F64):
        return "products are of f32 or f64"
    columns = product(x.shape[len(axes) :])
    if not isinstance(columns, int) or columns < _COLUMNS:
        return "there are few columns"
    return None


def _by_ones(b: Builder, node: Node) -> Value:
    """1ᵀ X, X as a matrix: ReduceSum over rows takes three times as long (f32[2048, 1024])."""
    x, axes = operand(node, 0), _reduced(node)
    rows, columns = product(x.shape[: len(axes)]), product(x.shape[len(axes) :])
    ones = full(b, 1.0, x.type.dtype, (1, rows))
    total = b(MatMul(), ones, reshape(b, x, rows, columns))
    return reshape(b, total, *node.outputs[0].shape)


BODIES = (
    *(
        Body("pixels-then-batch", op, _two_steps_refuse, constant_cost(0.9), _two_steps)
        for op in (ReduceSum, ReduceMean)
    ),
    Body("product-with-ones", ReduceSum, _ones_refuse, constant_cost(0.9), _by_ones),
)
