"""Reductions that drop the axes that they reduce.

    Reshape(Reduce(x, axes, keepdims=1))  =  Reduce(x, axes, keepdims=0)

where the reshape only drops the axes of size 1 that the reduction has kept: the mean over an image
before its classifier, which GlobalAveragePool is, too.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from nncomp.dims import equal_shapes
from nncomp.ir.graph import Node
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.reduction import ReduceMean, Reduction
from nncomp.passes.eliminate_no_ops import RESHAPING, operand
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass, by_node


class DropReducedAxes(Rule):
    """Reshape(Reduce(x, axes, keepdims=1)) → Reduce(x, axes, keepdims=0), for Reshape, Flatten and
    Squeeze to the shape without those axes, if nothing else reads the reduction."""

    name = "drop-reduced-axes"
    roots = RESHAPING

    def match(self, node: Node, facts: Facts) -> Answer:
        reduction = operand(node.inputs[0], Reduction)
        if reduction is None or not isinstance(reduction.op, Reduction):
            return None
        x, axes = (*reduction.inputs, None)[:2]
        assert x is not None
        op = reduction.op
        if not op.keepdims or (axes is not None and axes.type.elements is None):
            return None
        reduced = op.axes(x.type, None if axes is None else axes.type)
        left = [dim for axis, dim in enumerate(x.shape) if axis not in reduced]
        if not reduced or not equal_shapes(left, node.outputs[0].shape):
            return None
        if why := facts.why_not_private(reduction.outputs[0]):
            return Refused(f"{op.name} keeps its axes: {why}")
        return by_node(dataclasses.replace(op, keepdims=0), reduction.inputs, reduction, node)


class PoolToVector(Rule):
    """Reshape(GlobalAveragePool(x)) → ReduceMean(x, axes=[2, …], keepdims=0), for Reshape, Flatten
    and Squeeze to [N, C], if nothing else reads the pooled image."""

    name = "pool-to-vector"
    roots = RESHAPING

    def match(self, node: Node, facts: Facts) -> Answer:
        pool = operand(node.inputs[0], GlobalAveragePool)
        x = None if pool is None else pool.inputs[0]
        if pool is None or x is None or not equal_shapes(x.shape[:2], node.outputs[0].shape):
            return None
        if why := facts.why_not_private(pool.outputs[0]):
            return Refused(f"{pool.op.name} keeps its axes: {why}")
        axes = range(2, x.rank)
        return Replacement(lambda b: b(ReduceMean(keepdims=0), x, b.ints(*axes)), (pool, node))


@dataclass(frozen=True)
class SqueezeReductions(RulePass):
    """Reshape(Reduce(x, keepdims=1)) → Reduce(x, keepdims=0)."""

    name = "squeeze-reductions"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return DropReducedAxes(), PoolToVector()
