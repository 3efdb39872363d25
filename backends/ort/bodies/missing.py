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
from nncomp.ops.indexing import Gather, OneHot
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


_ONE_HOT: dict[tuple[DType, DType], tuple[DType, ...]] = {
    (DType.I64, DType.I64): (DType.F16, DType.F32, DType.I64, DType.STRING),
    (DType.F32, DType.I64): (DType.I64, DType.STRING),
    (DType.I64, DType.F32): (DType.F16, DType.F32),
    (DType.F32, DType.F32): (DType.F16, DType.F32),
    (DType.I32, DType.F32): (DType.F16, DType.F32),
    (DType.I64, DType.I32): (DType.F16, DType.F32),
    (DType.I32, DType.I32): (DType.F16, DType.F32),
}
"""The values' dtypes that OneHot has kernels for, by those of indices and depth (1.31)."""


def _has_one_hot(node: Node, target: Target) -> str | None:
    indices, depth, values = (operand(node, i).type.dtype for i in range(3))
    found = values in _ONE_HOT.get((indices, depth), ())
    return "onnxruntime has a kernel for these dtypes" if found else None


def _gathered(b: Builder, node: Node) -> Results:
    """Which of the two values each element takes, then the values."""
    indices, depth = (
        v if v.type.dtype is DType.I64 else b(Cast(DType.I64), v)
        for v in (operand(node, 0), operand(node, 1))
    )
    assert isinstance(node.op, OneHot)
    which = b(OneHot(node.op.axis), indices, depth, b.ints(0, 1))
    return b(Gather(), operand(node, 2), which)


BODIES = (
    Body("gathered", OneHot, _has_one_hot, constant_cost(1.0), _gathered),
    Body("truth-as-number", BitCast, _no_truth, constant_cost(1.0), _cast_truth),
    Body("log-softmax", SoftmaxCrossEntropyLoss, always, constant_cost(1.0), _decomposed),
    Body("picked", NegativeLogLikelihoodLoss, always, constant_cost(1.0), _decomposed),
    Body("sigmoid-product", Swish, always, constant_cost(1.0), _decomposed),
    Body("bilinear", RoiAlign, _older, constant_cost(1.0), _decomposed),
    Body("masked-maximum", MaxRoiPool, _older, constant_cost(1.0), _decomposed),
)
