"""The Gaussian error linear unit, written out, as the operator that ONNX has for it from opset 20.

    x / 2 · (1 + erf(x / √2))                                  =  Gelu(x)
    x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))           =  Gelu(x, approximate="tanh")

in any order of the factors, and however the polynomial is written. An opset below 20 has the
formula again, as `Gelu.decompose` writes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Gelu, Tanh
from nncomp.ops.elementwise import Add, Div, Mul
from nncomp.ops.elementwise_math import Erf
from nncomp.passes.eliminate_no_ops import operand, same_type
from nncomp.passes.patterns import is_number, near, polynomial_in, product_of, why_not_closed
from nncomp.passes.rewrite import Answer, Facts, Refused, Rule, RulePass, by_node

ROOT = math.sqrt(2 / math.pi)
INSIDE: tuple[tuple[type[Erf | Tanh], str, Mapping[int, float]], ...] = (
    (Erf, "none", {1: math.sqrt(0.5)}),
    (Tanh, "tanh", {1: ROOT, 3: 0.044715 * ROOT}),
)
"""What bends x, the formula that it stands for, and the polynomial that it bends."""


class RecogniseGelu(Rule):
    """x · ½ · (1 + f(p(x))) → Gelu(x), f and p as in `INSIDE`.

    The steps of the formula must have no reader but each other.
    """

    name = "recognise-gelu"
    roots = (Mul, Div)

    def match(self, node: Node, facts: Facts) -> Answer:
        product = product_of(node, facts)
        if len(product.values) != 2 or not near(product.scale, 0.5, node.outputs[0]):
            return None
        for x, bent in (product.values, product.values[::-1]):
            found = _one_plus(bent)
            if found is None:
                continue
            add, inner = found
            for kind, approximate, wanted in INSIDE:
                polynomial = polynomial_in(inner.inputs[0], x)
                if not isinstance(inner.op, kind) or polynomial is None:
                    continue
                if not polynomial.is_near(wanted, x) or not same_type(x, node.outputs[0]):
                    return Refused(f"{inner.op.name} bends another polynomial than that of GELU")
                nodes = (*product.nodes, add, inner, *polynomial.nodes)
                if why := why_not_closed(facts, nodes, node):
                    return Refused(f"the formula of GELU is needed step by step: {why}")
                return by_node(Gelu(approximate), (x,), *nodes)
        return None


def _one_plus(value: Value) -> tuple[Node, Node] | None:
    """The addition and the function where the value is 1 + f(…)."""
    add = operand(value, Add)
    if add is None:
        return None
    for one, bent in (add.inputs, add.inputs[::-1]):
        inner = operand(bent, Erf, Tanh)
        if inner is not None and is_number(one, 1):
            return add, inner
    return None


@dataclass(frozen=True)
class FuseGelu(RulePass):
    """x · ½ · (1 + erf(x / √2)) → Gelu(x), and the formula with tanh."""

    name = "fuse-gelu"
    opset = 20

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (RecogniseGelu(),)
