"""Layer normalisation, written out, as LayerNormalization (opset 17).

    (x - m) / √(mean((x - m)²) + ε)   =  LayerNormalization(x, 1, epsilon=ε),  m = mean(x)
    LayerNormalization(x, s, b) · c   =  LayerNormalization(x, s · c, b · c)
    LayerNormalization(x, s, b) + c   =  LayerNormalization(x, s, b + c)

means over the axes from some axis on. What is computed of s, b and c is computed while compiling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncomp.dims import equal
from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.normalization import LayerNormalization, RMSNormalization
from nncomp.ops.shape import Expand
from nncomp.passes.eliminate_no_ops import operand
from nncomp.passes.patterns import normal_of, trailing_mean, why_not_closed
from nncomp.passes.rewrite import Answer, Build, Facts, Refused, Replacement, Rule, RulePass


class RecogniseLayerNorm(Rule):
    """(x - m) / √(mean((x - m)²) + ε) → LayerNormalization(x, 1).

    The axes that the mean is taken over are the last ones, of known size; the steps of the formula
    have no reader but each other.
    """

    name = "recognise-layer-norm"
    roots = (Div, Mul)

    def match(self, node: Node, facts: Facts) -> Answer:
        found = normal_of(node)
        centred = None if found is None else operand(found.x, Sub)
        if found is None or centred is None:
            return None
        x, mean = centred.inputs
        middle = trailing_mean(mean)
        assert x is not None
        if middle is None or middle.x is not x or middle.axis != found.axis:
            return None
        nodes = (*found.nodes, centred, middle.node)
        if why := why_not_closed(facts, nodes, node):
            return Refused(f"the formula of LayerNormalization is needed step by step: {why}")
        return normalized(LayerNormalization(found.axis - x.rank, found.epsilon), x, nodes)


def normalized(
    op: LayerNormalization | RMSNormalization, x: Value, nodes: tuple[Node, ...]
) -> Answer:
    """The operator on x with a scale of ones; a refusal if the sizes of its axes are not known."""
    shape = x.type.with_shape(x.shape[op.axis :])
    if not shape.is_static:
        return Refused(f"{op.name} needs a scale, and the size of {x.type} from axis {op.axis} on")
    ones = np.ones(shape.static_shape, x.type.dtype.numpy)
    return Replacement(lambda b: b(op, x, b.constant(ones)), nodes)


class TakeScale(Rule):
    """Normalization(x, s, b) · c → Normalization(x, s · c, b · c), for c the same in every run
    that varies along normalised axes only, if nothing else reads what is scaled."""

    name = "take-scale"
    roots = (Mul,)

    def __init__(self, kind: type[LayerNormalization | RMSNormalization]) -> None:
        self.kind = kind

    def match(self, node: Node, facts: Facts) -> Answer:
        for y, c in (node.inputs, node.inputs[::-1]):
            norm = operand(y, self.kind)
            if norm is None or y is not norm.outputs[0] or c is None:
                continue
            refused = _refusal(facts, norm, c, "the factor")
            return refused or Replacement(_scaled(norm, c), (norm, node))
        return None


class TakeShift(Rule):
    """LayerNormalization(x, s, b) + c → LayerNormalization(x, s, b + c), with the conditions of
    take-scale."""

    name = "take-shift"
    roots = (Add,)

    def match(self, node: Node, facts: Facts) -> Answer:
        for y, c in (node.inputs, node.inputs[::-1]):
            norm = operand(y, LayerNormalization)
            if norm is None or y is not norm.outputs[0] or c is None or not facts.is_known(c):
                continue
            refused = _refusal(facts, norm, c, "what is added")
            return refused or Replacement(_shifted(norm, c), (norm, node))
        return None


def _scaled(norm: Node, c: Value) -> Build:
    x, scale, *shift = norm.inputs
    return lambda b: b(norm.op, x, b(Mul(), scale, c), *(b(Mul(), v, c) for v in shift))


def _shifted(norm: Node, c: Value) -> Build:
    x, scale, *shift = norm.inputs
    assert scale is not None
    if shift:
        return lambda b: b(norm.op, x, scale, b(Add(), shift[0], c))
    if c.shape == scale.shape:
        return lambda b: b(norm.op, x, scale, c)
    return lambda b: b(norm.op, x, scale, b(Expand(), c, b.dims(scale.shape)))


def _refusal(facts: Facts, norm: Node, c: Value, what: str) -> Refused | None:
    scale = norm.inputs[1]
    assert scale is not None
    if not facts.is_known(c):
        return Refused(f"{norm.op.name} cannot take {what} in: it is computed in each run")
    if why := facts.why_not_private(norm.outputs[0]):
        return Refused(f"{norm.op.name} cannot take {what} in: {why}")
    own = (1,) * (scale.rank - c.rank) + c.shape
    if len(own) != scale.rank or not all(
        d == 1 or equal(d, size) is True for d, size in zip(own, scale.shape, strict=True)
    ):
        return Refused(f"{norm.op.name} cannot take {what} in: {c.type} is no {scale.type}")
    return None


@dataclass(frozen=True)
class FuseLayerNorm(RulePass):
    """(x - mean(x)) / √(var(x) + ε) · s + b → LayerNormalization(x, s, b)."""

    name = "fuse-layer-norm"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return RecogniseLayerNorm(), TakeScale(LayerNormalization), TakeShift()
