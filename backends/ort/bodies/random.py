"""Bodies of random numbers."""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Results, Target, constant_cost, operand
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.random import Random, shift_by_division


def _cuda_only(node: Node, target: Target) -> str | None:
    return None if target.provider == "cuda" else "BitShift is faster where there is one"


def _by_division(b: Builder, node: Node) -> Results:
    """The same bits with Div for BitShift, which onnxruntime's CUDA provider lacks."""
    assert isinstance(node.op, Random)
    seed, step, shape = (operand(node, i) for i in range(3))
    return node.op.body(b, seed, step, shape, shift_by_division)


BODIES = (Body("shift-by-division", Random, _cuda_only, constant_cost(1.0), _by_division),)
