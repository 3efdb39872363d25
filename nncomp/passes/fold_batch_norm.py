"""Batch normalization, and other arithmetic on channels, folded into the weights next to it.

With a = γ / √(σ² + ε), batch normalization of inference is y = (x - μ) · a + β.

after a convolution:   a · (W ∗ x + b - μ) + β  =  (a·W) ∗ x + (b - μ) · a + β
before one:            W ∗ ((x - μ) · a + β) + b  =  (W·a) ∗ x + (b + Σ W · (β - μ·a)), where the
                       convolution does not pad: a zero of its padding is not normalised

W·a scales output channels in the first line and input channels in the second; groups, strides
and dilations do not matter. The same holds for ConvTranspose (after), for products of matrices,
and for Add, Sub, Mul and Div with a constant for each channel. Where a zero stays zero (β = μ·a),
padding is no hindrance.

The new weights are built as nodes on the old ones; constant folding evaluates them.
A batch normalization that stands alone stays: two elementwise operators cost more than one. It
takes in the arithmetic beside it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.conv import ConvTranspose
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.passes.affine import Affine, affine_of, apply, cast, moves_zero, wide_of
from nncomp.passes.base import PassContext, PassResult, Rewritten
from nncomp.passes.channels import LINEAR, Linear, add_vectors, linear_of
from nncomp.passes.fold_constants import MAX_GROWTH
from nncomp.passes.fold_scales import FoldScale
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass

AFFINE = (BatchNormalization, Add, Sub, Mul, Div)
_MAX_SWEEPS = 8  # a chain of norms, each with a layer beside the next norm, would need one for each


class FoldAfter(Rule):
    """affine(W ∗ x + b) → W' ∗ x + b', for a convolution or product that nothing else reads."""

    name = "fold-into-previous"
    roots = AFFINE

    def match(self, node: Node, facts: Facts) -> Answer:
        if not any(v.node is not None and isinstance(v.node.op, LINEAR) for v in node.operands):
            if not isinstance(node.op, BatchNormalization):
                return None
            x = node.operands[0].node
            what = "an input" if x is None else x.op.name
            return Refused(f"no convolution or product stands before it, but {what}")
        affine = affine_of(node, facts)
        if not isinstance(affine, Affine):
            return affine
        linear = linear_of(affine.x.node)
        if linear is None:
            return None
        why = linear if isinstance(linear, str) else _why_not_after(linear, affine, facts)
        if why or isinstance(linear, str):
            return Refused(f"{_name(affine.x.node)} cannot take it in: {why}")
        # where batch normalization gives its statistics on, they are its operands
        statistics = node.inputs[3 : 2 + len(node.outputs)]
        return Replacement(lambda b: (_after(b, linear, affine), *statistics), (linear.node, node))


def _why_not_after(linear: Linear, affine: Affine, facts: Facts) -> str | None:
    if affine.multiply is not None and len(linear.node.inputs) > 3:
        return "it adds another tensor"
    return facts.why_not_private(affine.x) or _why_not_known(linear, affine, facts)


def _why_not_known(linear: Linear, affine: Affine, facts: Facts) -> str | None:
    """What is the same in both directions: the weights are known, and not needed twice."""
    w = linear.weights
    if not all(facts.is_known(v) for v in linear.node.inputs[1:3] if v is not None):
        return "its weights are computed at run time"
    size = math.prod(w.type.static_shape) * w.type.dtype.size
    if affine.multiply is not None and facts.reads[w] > 1 and size > MAX_GROWTH:
        return f"its weights have other readers, and would be stored twice ({size} bytes)"
    return None


def _after(b: Builder, linear: Linear, affine: Affine) -> Value:
    factor = affine.multiply(b) if affine.multiply is not None else None
    w, bias = _wide(b, linear)
    w = w if factor is None else linear.outputs().times(b, w, factor)
    return _rebuilt(b, linear, linear.x, w, apply(b, affine, bias, factor))


def _wide(b: Builder, linear: Linear) -> tuple[Value, Value | None]:
    """Weights and bias in the dtype that new ones are computed in."""
    wide, bias = wide_of(linear.x), linear.bias(b)
    return cast(b, linear.weights, wide), None if bias is None else cast(b, bias, wide)


def _rebuilt(b: Builder, linear: Linear, x: Value, w: Value, bias: Value | None) -> Value:
    dtype = x.type.dtype
    bias = None if bias is None else cast(b, bias, dtype)
    return linear.rebuild(b, x, cast(b, w, dtype), bias)


class FoldBefore(Rule):
    """W ∗ affine(x) + b → W' ∗ x + b', where nothing reads the affine's result but convolutions and
    products that all take it in.

    If the affine moves zero, none of them must pad: a zero of its padding stays zero.
    """

    name = "fold-into-next"
    roots = tuple(kind for kind in LINEAR if kind is not ConvTranspose)

    def match(self, node: Node, facts: Facts) -> Answer:
        above = node.inputs[0].node if node.inputs[0] is not None else None
        if above is None or not isinstance(above.op, AFFINE):
            return None
        affine = affine_of(above, facts)
        if not isinstance(affine, Affine):
            return affine
        linear = linear_of(node)
        if linear is None:
            return None
        why = linear if isinstance(linear, str) else _why_not_before(linear, affine, facts)
        if why or isinstance(linear, str):
            return Refused(f"{node.op.name} cannot take {above.op.name} in: {why}")
        return Replacement(lambda b: _before(b, linear, affine), (node, above))


def _pads(linear: Linear) -> bool:
    op = linear.op
    if not isinstance(op, Convolution):
        return False
    windows = op.windows(linear.x.shape, linear.weights.shape)
    return any(pad != 0 for v in windows for pad in (v.before, v.after))


def _why_not_before(linear: Linear, affine: Affine, facts: Facts) -> str | None:
    if _pads(linear) and moves_zero(affine, facts):
        return "it pads with zeros, which are not normalised"
    return _why_not_known(linear, affine, facts) or _why_not_everywhere(linear, affine, facts)


def _why_not_everywhere(linear: Linear, affine: Affine, facts: Facts) -> str | None:
    """Unless all readers take the affine in, it stays, and there is no node less."""
    if facts.why_not_private(linear.x) is None:
        return None
    if linear.x in facts.results:
        return "its result is an output of the graph"
    for node, place in facts.readers(linear.x):
        why = _why_not_it(node, place, affine, facts)
        if why is not None:
            return f"its result has other readers, and {node.op.name} cannot: {why}"
    return None


def _why_not_it(node: Node, place: int, affine: Affine, facts: Facts) -> str | None:
    """Why a node of the graph as it was given cannot take the affine in."""
    linear = linear_of(node)
    if linear is None or isinstance(linear, str) or isinstance(node.op, ConvTranspose) or place:
        return linear if isinstance(linear, str) else "it is no convolution or product of it"
    if not facts.known_at_first.issuperset(v for v in node.inputs[1:3] if v is not None):
        return "its weights are computed at run time"
    if _pads(linear) and moves_zero(affine, facts):
        return "it pads with zeros, which are not normalised"
    return None


def _before(b: Builder, linear: Linear, affine: Affine) -> Value:
    layout, kept = linear.inputs()
    w, bias = _wide(b, linear)
    factor = affine.multiply(b) if affine.multiply is not None else None
    shift = None if _pads(linear) else apply(b, affine, None, factor)
    if shift is not None:
        alpha = getattr(linear.op, "alpha", 1.0)
        moved = layout.sum_other(b, w, shift, kept)
        bias = add_vectors(b, bias, moved if alpha == 1 else b(Mul(), moved, alpha))
    if factor is not None:
        w = layout.times(b, w, factor)
    return _rebuilt(b, linear, affine.x, w, bias)


class IntoBatchNorm(Rule):
    """arithmetic(BatchNormalization(x)) and BatchNormalization(arithmetic(x)) →
    BatchNormalization(x), where nothing else reads what is between:

    (BN(x) - s) · m + t  has the scale γ·m and the shift (β - s) · m + t
    BN((x - s) · m + t)  has the scale γ·m, the shift β + a · (t - μ - m·s), and the mean 0
    """

    name = "fold-into-batch-norm"
    roots = AFFINE

    def match(self, node: Node, facts: Facts) -> Answer:
        after = affine_of(node, facts)
        above = None if not isinstance(after, Affine) else after.x.node
        if above is None or not isinstance(above.op, AFFINE):
            return None
        norms = [n for n in (node, above) if isinstance(n.op, BatchNormalization)]
        before = affine_of(above, facts) if len(norms) == 1 else None
        if not isinstance(before, Affine) or not isinstance(after, Affine):
            return None
        if len({v.type.dtype for v in (*norms[0].operands, *node.outputs)}) > 1:
            return Refused("its operands have several dtypes")
        if why := facts.why_not_private(after.x):
            return Refused(f"{above.op.name} and {node.op.name} stay two: {why}")
        x = before.x
        return Replacement(lambda b: _merged(b, norms[0], x, before, after), (above, node))


def _merged(b: Builder, norm: Node, x: Value, before: Affine, after: Affine) -> Value:
    """One batch normalization for two maps of which one is `norm`."""
    _, scale, shift, mean, variance = norm.operands
    wide, dtype = wide_of(x), scale.type.dtype
    other = before if after.node is norm else after
    factor = other.multiply(b) if other.multiply is not None else None
    slope = cast(b, scale, wide)
    if factor is not None:
        slope = b(Mul(), slope, factor)
    if other is after:
        moved = apply(b, after, cast(b, shift, wide), factor)
    else:
        own = None if after.multiply is None else after.multiply(b)
        moved = apply(b, after, apply(b, before, None, factor), own)
        mean = b.constant(np.zeros(mean.type.static_shape, mean.type.dtype.numpy))
    assert moved is not None
    return b(norm.op, x, cast(b, slope, dtype), cast(b, moved, dtype), mean, variance)


def _name(node: Node | None) -> str:
    return node.op.name if node is not None else "it"


@dataclass(frozen=True)
class FoldBatchNorm(RulePass):
    """affine(W ∗ x + b) → W' ∗ x + b', and W ∗ affine(x) + b → W' ∗ x + b'; batch normalization
    and arithmetic beside it → one batch normalization; (x · W) · s → x · (W · s)."""

    name = "fold-batch-norm"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return FoldAfter(), FoldBefore(), IntoBatchNorm(), FoldScale()

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        """Sweeps again while something folds: a norm that several layers read goes into them once
        the last of these can take it in, which may lie behind the others."""
        counts: Counter[str] = Counter()
        rewrites: list[Rewritten] = []
        for _ in range(_MAX_SWEEPS):
            found = super().run(graph, context)
            graph = found.graph
            counts.update(found.counts)
            rewrites += found.rewrites
            if not found.counts:
                break
        return PassResult(graph, dict(counts), found.refusals, tuple(rewrites))
