"""Bodies of pooling and its gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncomp.backends.ort.bodies.body import Body, Target, always, constant_cost, operand
from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Mul
from nncomp.ops.pooling import GlobalLpPool
from nncomp.ops.pooling_average import AveragePool, AveragePoolGrad
from nncomp.ops.pooling_base import Pool, divisors
from nncomp.ops.pooling_max import MaxPoolGrad, MaxUnpool
from nncomp.ops.resize import Resize
from nncomp.ops.shape_slicing import Pad
from nncomp.ops.windows import Window
from nncomp.types import DType


@dataclass(frozen=True)
class _Axis:
    """One axis of windows whose numbers are known."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    outputs: int


def _axes(node: Node) -> tuple[_Axis, ...] | None:
    """None where spatial sizes are symbolic."""
    assert isinstance(node.op, Pool)
    found = []
    for v in node.op.windows(node.outputs[0].shape):
        numbers = (v.size, v.kernel, v.stride, v.dilation, v.before, v.after, v.outputs)
        known = [n for n in numbers if isinstance(n, int)]
        if len(known) < len(numbers):
            return None
        found.append(_Axis(*known))
    return tuple(found)


def _apart(axes: tuple[_Axis, ...]) -> bool:
    """Whether no element lies in two windows."""
    return all(a.kernel <= a.stride and a.dilation == 1 for a in axes)


# --- max pooling -----------------------------------------------------------------------------


def _unpool_refuses(node: Node, target: Target) -> str | None:
    op = node.op
    assert isinstance(op, MaxPoolGrad)
    if operand(node, 0).type.dtype is not DType.F32:
        return "onnxruntime has MaxUnpool for f32 only"
    if target.provider == "cuda":
        return "CUDA has no MaxUnpool"
    if op.auto_pad != "NOTSET" or op.ceil_mode:
        return "MaxUnpool has neither auto_pad nor ceil_mode"
    windows = op.windows(node.outputs[0].shape)
    if any(v.dilation != 1 or not _at_most(v.kernel, v.stride) for v in windows):
        return "windows overlap, and MaxUnpool overwrites"
    if any(equal(v.covered - v.before - v.after, v.size) is not True for v in windows):
        return "elements behind the last window shift the indices"
    return None


def _at_most(kernel: object, stride: int) -> bool:
    return isinstance(kernel, int) and kernel <= stride


def _unpool(b: Builder, node: Node) -> Value:
    """MaxUnpool: each element has at most one window, so nothing is overwritten."""
    op = node.op
    assert isinstance(op, MaxPoolGrad)
    unpool = MaxUnpool(kernel_shape=op.kernel_shape, pads=op.pads, strides=op.strides)
    return b(unpool, operand(node, 0), operand(node, 1))


# --- average pooling -------------------------------------------------------------------------


def _divided(b: Builder, node: Node) -> Value:
    """dY over the number of elements that each window averages."""
    op = node.op
    assert isinstance(op, AveragePoolGrad)
    dy = operand(node, 0)
    counts = divisors(_windows(node), bool(op.count_include_pad))
    share = 1 / counts
    if (share == share.flat[0]).all():
        share = share.flat[:1].reshape(())
    return b(Mul(), dy, b.constant(np.asarray(share, dy.type.dtype.numpy)))


def _windows(node: Node) -> tuple[Window, ...]:
    assert isinstance(node.op, Pool)
    return node.op.windows(node.outputs[0].shape)


def _resize_refuses(node: Node, target: Target) -> str | None:
    axes = _axes(node)
    if axes is None:
        return "spatial sizes are symbolic"
    if operand(node, 0).type.dtype is not DType.F32:
        return "onnxruntime resizes f32 only"
    if any(a.kernel != a.stride or a.dilation != 1 for a in axes):
        return "windows do not tile the axes"
    return None


def _resized(b: Builder, node: Node) -> Value:
    """Each share repeated over its window (a nearest-neighbour Resize), cut or padded to size."""
    axes = _axes(node)
    assert axes is not None
    share = _divided(b, node)
    # with these modes onnxruntime has a faster loop
    op = Resize(coordinate_transformation_mode="asymmetric", mode="nearest", nearest_mode="floor")
    scales = np.array([1, 1, *(a.kernel for a in axes)], np.float32)
    dx = share
    if any(a.kernel > 1 for a in axes):
        dx = b(op, share, None, b.constant(scales))
    before = [-a.before for a in axes]
    after = [a.size + a.before - a.outputs * a.kernel for a in axes]
    if any(before) or any(after):
        dx = b(Pad(), dx, b.ints(0, 0, *before, 0, 0, *after))
    return dx


def _slide_refuses(node: Node, target: Target) -> str | None:
    axes = _axes(node)
    if axes is None:
        return "spatial sizes are symbolic"
    if operand(node, 0).type.dtype is not DType.F32:
        return "onnxruntime pools f32 only"
    if any(a.stride != 1 or a.dilation != 1 for a in axes):
        return "the stride is not 1"
    return None


def _slid(b: Builder, node: Node) -> Value:
    """With stride 1, dX sums the shares of the windows around it: an average times its count."""
    axes = _axes(node)
    assert axes is not None
    share = b(Mul(), _divided(b, node), float(np.prod([a.kernel for a in axes])))
    amounts = [a.kernel - 1 - a.before for a in axes], [a.kernel - 1 - a.after for a in axes]
    padded = b(Pad(), share, b.ints(0, 0, *amounts[0], 0, 0, *amounts[1]))
    return b(AveragePool(kernel_shape=tuple(a.kernel for a in axes)), padded)


def _powers(b: Builder, node: Node) -> Value:
    """GlobalLpPool by its formula: onnxruntime has it up to opset 21 only."""
    result = node.op.decompose(b, operand(node, 0))
    assert isinstance(result, Value)
    return result


BODIES = (
    Body("powers", GlobalLpPool, always, constant_cost(1.0), _powers),
    Body("max-unpool", MaxPoolGrad, _unpool_refuses, constant_cost(0.8), _unpool),
    Body("nearest-resize", AveragePoolGrad, _resize_refuses, constant_cost(0.2), _resized),
    Body("slid-average", AveragePoolGrad, _slide_refuses, constant_cost(1.0), _slid),
)
