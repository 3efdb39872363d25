"""Operators that onnxruntime has no kernel for, or none at the younger opsets: the decompositions
that they have here. (It has ONNX's function bodies for some, which are slow, or which it does not
expand at every opset.)"""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import (
    Body,
    Results,
    Target,
    always,
    constant_cost,
    operand,
)
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.activation import Swish
from nncomp.ops.conversion import BitCast, Cast
from nncomp.ops.loss import NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss
from nncomp.ops.regions import MaxRoiPool, RoiAlign
from nncomp.types import DType

_FIRST_WITHOUT = 22  # the opset whose regions have no kernel


def _decomposed(b: Builder, node: Node) -> Results:
    results: Results = node.op.decompose(b, *node.inputs)
    return results


def _older(node: Node, target: Target) -> str | None:
    # without a limit, what else is in the graph may ask for a younger opset
    has_kernel = target.opset is not None and target.opset < _FIRST_WITHOUT
    return f"onnxruntime has a kernel below opset {_FIRST_WITHOUT}" if has_kernel else None


def _no_truth(node: Node, target: Target) -> str | None:
    dtypes = (operand(node, 0).type.dtype, node.outputs[0].type.dtype)
    return None if DType.BOOL in dtypes else "onnxruntime has a kernel for numbers"


def _cast_truth(b: Builder, node: Node) -> Results:
    """A bool is a byte of 0 or 1."""
    return b(Cast(node.outputs[0].type.dtype), operand(node, 0))


BODIES = (
    Body("truth-as-number", BitCast, _no_truth, constant_cost(1.0), _cast_truth),
    Body("log-softmax", SoftmaxCrossEntropyLoss, always, constant_cost(1.0), _decomposed),
    Body("picked", NegativeLogLikelihoodLoss, always, constant_cost(1.0), _decomposed),
    Body("sigmoid-product", Swish, always, constant_cost(1.0), _decomposed),
    Body("bilinear", RoiAlign, _older, constant_cost(1.0), _decomposed),
    Body("masked-maximum", MaxRoiPool, _older, constant_cost(1.0), _decomposed),
)
