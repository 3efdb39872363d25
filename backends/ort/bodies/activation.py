"""Bodies of the gradients of activations."""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Body, Target, operand
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import HardSigmoid, ReluGrad
from nncomp.ops.elementwise import Mul
from nncomp.types import DType

_STEEP = 3e38  # the largest slope that f32 holds: every normal number above 0 becomes 1


def _steep_refuses(node: Node, target: Target) -> str | None:
    if operand(node, 0).type.dtype is not DType.F32:
        return "onnxruntime computes HardSigmoid in f32 only"
    return "CUDA runs a comparison and a cast faster" if target.provider == "cuda" else None


def _steep_relu_grad(b: Builder, node: Node) -> Value:
    """dY · min(1, max(0, 3e38 · Y)): a comparison without bool tensors, which are slow on the CPU.

    As any product it is NaN where dY is infinite and Y is 0; below 3.3e-39, a denormal Y gives a
    number between 0 and dY.
    """
    mask = b(HardSigmoid(alpha=_STEEP, beta=0.0), operand(node, 1))
    return b(Mul(), operand(node, 0), mask)


BODIES = (
    Body("steep-sigmoid", ReluGrad, _steep_refuses, lambda node, target: 1.2, _steep_relu_grad),
)
