"""Where the channels of a linear operator stand in its weights: scaling them, summing over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.fused import FusedConv
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Expand, Reshape
from nncomp.passes.fuse_matmul_bias import as_gemm

LINEAR: tuple[type[Op], ...] = (Conv, FusedConv, ConvTranspose, MatMul, Gemm)


@dataclass(frozen=True)
class Layout:
    """The weights seen in a shape in which a vector of channels can be laid along them.

    view: the weights' shape, with the axis that holds groups parted from the channels' own
    vector: the shape of a vector of channels that broadcasts to the view
    """

    view: tuple[int, ...]
    vector: tuple[int, ...]

    def times(self, b: Builder, w: Value, vector: Value) -> Value:
        """The weights, each multiplied by its channel's number."""
        seen = _reshape(b, w, self.view)
        return _reshape(b, b(Mul(), seen, _reshape(b, vector, self.vector)), w.type.static_shape)

    def sum_other(self, b: Builder, w: Value, vector: Value, kept: Sequence[int]) -> Value:
        """The weights times the vector, summed over all axes of the view but those kept: [M]."""
        seen = _reshape(b, w, self.view)
        product = b(Mul(), seen, _reshape(b, vector, self.vector))
        axes = [axis for axis in range(len(self.view)) if axis not in kept]
        summed = b(ReduceSum(keepdims=0), product, b.ints(*axes)) if axes else product
        return summed if summed.rank == 1 else b(Reshape(), summed, b.ints(-1))


@dataclass(frozen=True)
class Linear:
    """A linear operator along the channels, axis 1, with constant-to-be weights.

    op: what it becomes once its weights are changed
    bias: a vector, if it has one
    """

    node: Node
    op: Op

    @property
    def x(self) -> Value:
        assert self.node.inputs[0] is not None
        return self.node.inputs[0]

    @property
    def weights(self) -> Value:
        assert self.node.inputs[1] is not None
        return self.node.inputs[1]

    def outputs(self) -> Layout:
        """How the result's channels lie along the weights."""
        shape, op = self.weights.type.static_shape, self.op
        if isinstance(op, Gemm):
            return _along(shape, 0 if op.transB else 1)
        assert isinstance(op, Convolution)
        if isinstance(op, ConvTranspose):
            return _along(shape, 1) if op.group == 1 else _grouped(shape, op.group)
        return _along(shape, 0)

    def inputs(self) -> tuple[Layout, tuple[int, ...]]:
        """How the operand's channels lie along them; the axes of the view for the result's."""
        shape, op = self.weights.type.static_shape, self.op
        if isinstance(op, Gemm):
            return _along(shape, 1 if op.transB else 0), (0 if op.transB else 1,)
        assert isinstance(op, Convolution)
        if op.group == 1:
            return _along(shape, 1), (0,)
        return _grouped(shape, op.group), (0, 1)

    def bias(self, b: Builder) -> Value | None:
        """What is added to each channel, as a vector; None for nothing."""
        value = self.node.inputs[2] if len(self.node.inputs) > 2 else None
        if value is None or not isinstance(self.op, Gemm):
            return value
        assert isinstance(self.node.op, Gemm)
        if value.rank != 1:
            value = b(Reshape(), value, b.ints(-1))
        channels = self.node.outputs[0].shape[1]
        if value.shape[0] != channels:
            value = b(Expand(), value, b.dims((channels,)))
        return value if self.node.op.beta == 1 else b(Mul(), value, self.node.op.beta)

    def rebuild(self, b: Builder, x: Value, w: Value, bias: Value | None) -> Value:
        """The operator on other operands."""
        if bias is None and isinstance(self.node.op, MatMul):
            return b(MatMul(), x, w)
        return b(self.op, x, w, bias, *self.node.inputs[3:])


def linear_of(node: Node | None) -> Linear | str | None:
    """The linear operator that the node is; a reason why it is none such; or None."""
    if node is None or not isinstance(node.op, LINEAR):
        return None
    x, w = node.inputs[:2]
    assert x is not None
    assert w is not None
    if getattr(node.op, "activation", ""):
        return None
    if not w.type.is_static:
        return f"the weights {w.type} have symbolic dims"
    if isinstance(node.op, Convolution):
        return Linear(node, node.op)
    gemm = as_gemm(node)
    if gemm is None:
        return None
    if gemm.transA:
        return "its left matrix is transposed"
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        bias, columns = node.inputs[2], node.outputs[0].shape[1]
        across = bias.shape[-1:]
        if any(dim != 1 for dim in bias.shape[:-1]) or across not in ((), (1,), (columns,)):
            return f"what is added, {bias.type}, varies along the rows"
    return Linear(node, dataclasses.replace(gemm, beta=1.0))


def add_vectors(b: Builder, left: Value | None, right: Value | None) -> Value | None:
    """The sum of two vectors, None being 0."""
    if left is None or right is None:
        return right if left is None else left
    return b(Add(), left, right)


def _along(shape: tuple[int, ...], axis: int) -> Layout:
    return Layout(shape, tuple(d if i == axis else 1 for i, d in enumerate(shape)))


def _grouped(shape: tuple[int, ...], group: int) -> Layout:
    """Of weights [group · outer, channels, …]: the channels of all groups."""
    outer, channels, *kernel = shape
    ones = (1,) * len(kernel)
    return Layout((group, outer // group, channels, *kernel), (group, 1, channels, *ones))


def _reshape(b: Builder, x: Value, shape: tuple[int, ...]) -> Value:
    return x if x.shape == shape else b(Reshape(), x, b.ints(*shape))
