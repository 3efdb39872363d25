"""Padding with zeros, folded into the convolution that reads it.

    Conv(Pad(x, before, after), W, pads=(p, q))  =  Conv(x, W, pads=(p + before, q + after))

for a Pad by the constant 0 along spatial axes only. A convolution pads without a tensor of its
own for what is padded, so a copy of the whole input is saved.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from nncomp.ir.graph import Node, Value
from nncomp.ops.conv import Conv
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise_math import constant_number
from nncomp.ops.fused import FusedConv
from nncomp.ops.shape_slicing import Pad
from nncomp.ops.windows import Attributes
from nncomp.passes.eliminate_no_ops import operand
from nncomp.passes.rewrite import Answer, Facts, Refused, Rule, RulePass, by_node


class PadIntoConv(Rule):
    """Conv(Pad(x), W, B) → Conv(x, W, B, pads), where the Pad adds zeros along spatial axes.

    Other readers of the padded tensor keep it; the convolution does without it all the same.
    """

    name = "pad-into-conv"
    roots = (Conv, FusedConv)

    def match(self, node: Node, facts: Facts) -> Answer:
        pad = operand(node.inputs[0], Pad)
        if pad is None:
            return None
        op = node.op
        assert isinstance(op, Convolution)
        pads = _zeros_added(pad)
        if isinstance(pads, str):
            return Refused(f"{op.name} cannot take Pad in: {pads}")
        if op.auto_pad.startswith("SAME"):
            return Refused(f"{op.name} cannot take Pad in: it chooses its own pads, {op.auto_pad}")
        own = Attributes(op.strides, op.dilations, op.pads, op.auto_pad).padding(len(pads) // 2)
        total = tuple(p + q for p, q in zip(own, pads, strict=True))
        padded = dataclasses.replace(op, auto_pad="NOTSET", pads=total if any(total) else None)
        return by_node(padded, (pad.inputs[0], *node.inputs[1:]), node, pad)


def _zeros_added(pad: Node) -> tuple[int, ...] | str:
    """The zeros before and after each spatial axis, as ONNX lists them; a reason if there are
    none such."""
    assert isinstance(pad.op, Pad)
    data, amounts, value, axes = (*pad.inputs, None, None)[:4]
    assert data is not None
    assert amounts is not None
    if pad.op.mode != "constant":
        return f'its mode is "{pad.op.mode}"'
    if value is not None and constant_number(value) != 0:
        return _not_zero(value)
    rank = data.rank
    pads = [0] * (2 * rank)
    for axis, before, after in pad.op.amounts(data.type, amounts.type, axes.type if axes else None):
        if not isinstance(before, int) or not isinstance(after, int):
            return "its amounts are computed at run time"
        if before < 0 or after < 0:
            return "it takes elements away"
        if axis < 2 and (before or after):
            return f"it pads axis {axis}, which is not spatial"
        pads[axis], pads[rank + axis] = before, after
    return (*pads[2:rank], *pads[rank + 2 :])


def _not_zero(value: Value) -> str:
    number = constant_number(value)
    return "it pads with a computed value" if number is None else f"it pads with {number:g}"


@dataclass(frozen=True)
class FoldPads(RulePass):
    """Conv(Pad(x, zeros), W, B) → Conv(x, W, B, pads)."""

    name = "fold-pads"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (PadIntoConv(),)
