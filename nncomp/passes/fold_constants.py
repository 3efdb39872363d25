"""Constant folding: what depends on constants only is computed while compiling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Data
from nncomp.passes.inline_bodies import INLINING
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass
from nncomp.types import Array, is_container

MAX_GROWTH = 1 << 20
"""Bytes by which a folded result may be larger than the constants it is computed from."""

# Operators whose result is exact, or rounded once as IEEE 754 says, on every backend.
EXACT = {
    *("Abs", "Add", "And", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"),
    *("Cast", "Ceil", "Clip", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten"),
    *("Floor", "Gather", "GatherElements", "GatherND", "Greater", "GreaterOrEqual", "Identity"),
    *("IsInf", "IsNaN", "Less", "LessOrEqual", "Max", "Min", "Mul", "Neg", "Not", "Or", "Pad"),
    *("Relu", "Reshape", "Shape", "Sign", "Size", "Slice", "Split", "Squeeze", "StopGradient"),
    *("Sub", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor"),
}


class FoldConstant(Rule):
    """f(constants) → constant, if f is pure and the result is at most 1 MiB larger than they.

    So weights are folded whatever their size, and a large tensor of zeros is not stored.
    """

    name = "fold"

    def __init__(self, exact: bool) -> None:
        self.exact = exact

    def match(self, node: Node, facts: Facts) -> Answer:
        if facts.context.evaluate is None or not node.op.pure or not node.inputs:
            return None
        if any(is_container(v.type) for v in node.outputs):  # a constant is a tensor
            return None
        if node.op.bodies:  # a Loop may never end
            return None
        operands = [facts.constant(v) for v in node.inputs]
        if any(v is not None and a is None for v, a in zip(node.inputs, operands, strict=True)):
            return None
        if self.exact and node.op.name not in EXACT:
            return None
        if not all(v.type.is_static for v in node.outputs):
            return None
        growth = _bytes(node.outputs) - sum(a.nbytes for a in operands if a is not None)
        if growth > MAX_GROWTH:
            return Refused(f"its result is {growth} bytes larger than the constants it is made of")
        try:
            arrays = facts.context.evaluate(node.op, operands)
        except CompileError as failure:
            return Refused(failure.diagnostics[0].message)
        if any(facts.reads[v] for v in node.outputs[len(arrays) :]):
            return Refused("not all of its results can be computed while compiling")
        missing = [None] * (len(node.outputs) - len(arrays))
        return Replacement(lambda b: [*(_constant(b, a) for a in arrays), *missing])


def _bytes(values: tuple[Value, ...]) -> int:
    return sum(v.type.dtype.size * math.prod(v.type.static_shape) for v in values)


def _constant(b: Builder, array: Array) -> Value:
    """A constant of its own: unlike the builder's, not shared, so that it keeps its name."""
    return b(Constant(Data(np.ascontiguousarray(array).reshape(array.shape))))


@dataclass(frozen=True)
class FoldConstants(RulePass):
    """Evaluates what depends on constants alone; parameters are constants once they are bound.

    exact: only operators that give the same bits on every backend
    Control flow whose course becomes known is inlined on the way. Without an `evaluate` function
    nothing is computed.
    """

    name = "fold-constants"
    exact: bool = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (*INLINING, FoldConstant(self.exact))
