"""Bodies of normalization.

What BatchNormTraining and BatchNormGrad decompose into is as fast as anything in standard
operators: both start from X - mean, which onnxruntime then computes once. Raw moments (Σ X², Σ X)
would save that pass, but cancel where the mean is large beside the deviation; onnxruntime's
BatchNormalization as a scale-and-shift saves one too, but runs on one core.
"""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Results, Target, constant_cost
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.normalization_batch import BatchNormalization


def _training_refuses(node: Node, target: Target) -> str | None:
    assert isinstance(node.op, BatchNormalization)
    return None if node.op.training_mode else "onnxruntime's own kernel does it"


def _training_mode(b: Builder, node: Node) -> Results:
    """onnxruntime's kernel overwrites the statistics that it is given; this does not."""
    results: Results = node.op.decompose(b, *node.inputs)
    return results


BODIES = (
    Body(
        "own-statistics",
        BatchNormalization,
        _training_refuses,
        constant_cost(1.0),
        _training_mode,
    ),
)
