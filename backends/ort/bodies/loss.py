"""Bodies of losses."""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Results, always, constant_cost
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.loss import NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss


def _decomposed(b: Builder, node: Node) -> Results:
    """onnxruntime's inference builds have no kernel for them; ONNX's function bodies are slow."""
    results: Results = node.op.decompose(b, *node.inputs)
    return results


BODIES = tuple(
    Body(name, op, always, constant_cost(1.0), _decomposed)
    for name, op in (
        ("log-softmax", SoftmaxCrossEntropyLoss),
        ("picked", NegativeLogLikelihoodLoss),
    )
)
