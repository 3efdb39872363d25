"""Bodies of losses."""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Results, always, constant_cost
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.loss import SoftmaxCrossEntropyLoss


def _log_softmax(b: Builder, node: Node) -> Results:
    """onnxruntime's inference builds have no kernel for it; its function body is a slow one."""
    results: Results = node.op.decompose(b, *node.inputs)
    return results


BODIES = (Body("log-softmax", SoftmaxCrossEntropyLoss, always, constant_cost(1.0), _log_softmax),)
