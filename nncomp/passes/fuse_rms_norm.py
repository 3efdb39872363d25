"""Normalisation by the root mean square, written out, as RMSNormalization (opset 23).

    x / √(mean(x²) + ε)              =  RMSNormalization(x, 1, epsilon=ε)
    RMSNormalization(x, s) · c       =  RMSNormalization(x, s · c)

the mean over the axes from some axis on. An opset below 23 has the formula again.
"""

from __future__ import annotations

from dataclasses import dataclass

from nncomp.ir.graph import Node
from nncomp.ops.elementwise import Div, Mul
from nncomp.ops.normalization import RMSNormalization
from nncomp.passes.fuse_layer_norm import TakeScale, normalized
from nncomp.passes.patterns import normal_of, why_not_closed
from nncomp.passes.rewrite import Answer, Facts, Refused, Rule, RulePass


class RecogniseRmsNorm(Rule):
    """x / √(mean(x²) + ε) → RMSNormalization(x, 1).

    The axes that the mean is taken over are the last ones, of known size; the steps of the formula
    have no reader but each other.
    """

    name = "recognise-rms-norm"
    roots = (Div, Mul)

    def match(self, node: Node, facts: Facts) -> Answer:
        found = normal_of(node)
        if found is None:
            return None
        if why := why_not_closed(facts, found.nodes, node):
            return Refused(f"the formula of RMSNormalization is needed step by step: {why}")
        op = RMSNormalization(found.axis - found.x.rank, found.epsilon)
        return normalized(op, found.x, found.nodes)


@dataclass(frozen=True)
class FuseRmsNorm(RulePass):
    """x / √(mean(x²) + ε) · s → RMSNormalization(x, s)."""

    name = "fuse-rms-norm"
    opset = 23

    @property
    def rules(self) -> tuple[Rule, ...]:
        return RecogniseRmsNorm(), TakeScale(RMSNormalization)
