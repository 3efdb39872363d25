"""Operators that pick elements by index, and their gradients."""

from __future__ import annotations

import numpy as np

from nncomp.dims import DimLike, new_dim, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Data, Gradients, InferError, Op, Vjp, operator
from nncomp.ops.elements import ints_of, typed
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.filling import ConstantOfShape, shape_operand
from nncomp.ops.gradient import zeros_like
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import normalize_axis, same_dtype
from nncomp.ops.scattering import Scatter
from nncomp.ops.shape import Expand, reshaped
from nncomp.types import STRINGS, DType, TensorType


def require_index(t: TensorType) -> None:
    if t.dtype not in (DType.I32, DType.I64):
        raise InferError("NN0203", f"indices are i32 or i64, these are {t}")


@operator
class Gather(Op):
    """data[…, indices, …] at an axis; negative indices count from the end (ONNX Gather-13)."""

    signature = "data, indices -> output"
    takes = STRINGS
    axis: int = 0

    def infer(self, data: TensorType, indices: TensorType) -> TensorType:
        require_index(indices)
        axis = normalize_axis(self.axis, data.rank)
        shape = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
        places, size = ints_of(indices.elements), data.shape[axis]
        if places is None:
            return TensorType(data.dtype, shape)
        if isinstance(size, int):
            for place in places:
                if not -size <= place < size:
                    raise InferError("NN0205", f"index {place} is out of range for size {size}")
        elements = data.elements
        if elements is None or not isinstance(size, int):
            return TensorType(data.dtype, shape)
        return typed(data.dtype, shape, tuple(elements[place] for place in places))

    def vjp(self, at: Vjp) -> Gradients:
        grad = GatherGrad(axis=self.axis % at.x.rank)
        return at.b(grad, at.g, at.inputs[1], at.b.dims(at.x.shape)), None


@operator
class GatherGrad(Op):
    """Zeros of `shape` with the slices of dY added at the indices along an axis.

    dX[…, indices[i], …] += dY[…, i, …]; repeated indices add up.
    """

    signature = "dY, indices, shape -> dX"
    domain = "nncomp"
    axis: int = 0

    def infer(self, dy: TensorType, indices: TensorType, shape: TensorType) -> TensorType:
        require_index(indices)
        dims = shape_operand(shape, "the shape")
        normalize_axis(self.axis, len(dims))
        if dy.rank != len(dims) - 1 + indices.rank:
            raise InferError("NN0204", f"{dy} is no gradient of {list(dims)} at {indices}")
        return TensorType(dy.dtype, dims)

    def vjp(self, at: Vjp) -> Gradients:
        return at.b(Gather(axis=self.axis), at.g, at.inputs[1]), None, None

    def decompose(self, b: Builder, dy: Value, indices: Value, shape: Value) -> Value:
        """ScatterElements with each index spread over its slice (ScatterND may race)."""
        axis = normalize_axis(self.axis, dy.rank + 1 - indices.rank)
        count = product(indices.shape)
        before, after = dy.shape[:axis], dy.shape[axis + indices.rank :]
        flat = (*before, count, *after)
        if indices.rank != 1:
            dy = reshaped(b, dy, flat)
        column: list[DimLike] = [1] * len(flat)
        column[axis] = count
        if len(flat) > 1 or indices.rank != 1:
            indices = reshaped(b, indices, column)
        if len(flat) > 1:
            indices = b(Expand(), indices, b.dims(flat))
        zero = Data(np.zeros(1, dy.type.dtype.numpy))
        base = b(ConstantOfShape(zero), shape)
        return b(ScatterElements(axis=axis, reduction="add"), base, indices, dy)


@operator
class GatherElements(Op):
    """output[i, j, …] = data[i, indices[i, j, …], …] for axis 1 (ONNX GatherElements-13)."""

    signature = "data, indices -> output"
    takes = STRINGS
    axis: int = 0

    def infer(self, data: TensorType, indices: TensorType) -> TensorType:
        _check_elementwise_indices(data, indices, self.axis)
        return TensorType(data.dtype, indices.shape)

    def vjp(self, at: Vjp) -> Gradients:
        scatter = ScatterElements(axis=self.axis, reduction="add")
        return at.b(scatter, zeros_like(at.b, at.x), at.inputs[1], at.g), None


@operator
class ScatterElements(Scatter):
    """data with output[i, indices[i, j, …], …] = updates[i, j, …] for axis 1
    (ONNX ScatterElements-18)."""

    takes = STRINGS

    axis: int = 0
    reduction: str = "none"

    def infer(self, data: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        self.check_reduction(self.reduction, data)
        same_dtype(data, updates)
        _check_elementwise_indices(data, indices, self.axis)
        if updates.rank != indices.rank:
            raise InferError("NN0204", f"updates {updates} do not fit indices {indices}")
        return TensorType(data.dtype, data.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return self.gradients(at, self.reduction)

    def scattered(
        self, b: Builder, data: Value, indices: Value, updates: Value, reduction: str
    ) -> Value:
        return b(ScatterElements(self.axis, reduction), data, indices, updates)

    def picked(self, b: Builder, data: Value, indices: Value) -> Value:
        return b(GatherElements(axis=self.axis), data, indices)


def _check_elementwise_indices(data: TensorType, indices: TensorType, axis: int) -> None:
    require_index(indices)
    place = normalize_axis(axis, data.rank)
    if indices.rank != data.rank:
        raise InferError("NN0204", f"indices {indices} need the rank of {data}")
    for i, (size, count) in enumerate(zip(data.shape, indices.shape, strict=True)):
        if i != place and isinstance(size, int) and isinstance(count, int) and count > size:
            raise InferError("NN0205", f"indices {indices} are larger than {data} on axis {i}")


@operator
class OneHot(Op):
    """values[1] where a new axis of size depth counts to the index, else values[0]
    (ONNX OneHot-11). Indices out of range give values[0] throughout."""

    signature = "indices, depth, values -> output"
    open_sizes = True
    axis: int = -1

    def infer(self, indices: TensorType, depth: TensorType, values: TensorType) -> TensorType:
        axis = normalize_axis(self.axis, indices.rank + 1)
        if depth.size != 1:
            raise InferError("NN0204", f"the depth of OneHot is one number, this is {depth}")
        sizes = depth.elements or tuple(int(size) for size in depth.floats or ())
        sizes = sizes or (new_dim("depth", 0),)
        if values.shape != (2,):
            raise InferError("NN0204", f"values of OneHot are two numbers, these are {values}")
        shape = (*indices.shape[:axis], sizes[0], *indices.shape[axis:])
        return TensorType(values.dtype, shape)

    def vjp(self, at: Vjp) -> Gradients:
        """The gradients of the two values: sums over the places that have them."""
        b, dtype = at.b, at.g.type.dtype
        on = b.constant(np.array([0, 1], dtype.numpy))
        mask = b(OneHot(self.axis), at.inputs[0], at.inputs[1], on)
        total = b(ReduceSum(keepdims=0), at.g)
        hot = b(ReduceSum(keepdims=0), b(Mul(), at.g, mask))
        both = b(Mul(), hot, on)
        off = b.constant(np.array([1, 0], dtype.numpy))
        return None, None, b(Add(), both, b(Mul(), b(Sub(), total, hot), off))


@operator
class TopK(Op):
    """The K largest (or smallest) elements along an axis, and their places (ONNX TopK-24).

    Of equal elements the one with the lower place comes first.
    """

    signature = "X, K -> Values, Indices"
    open_sizes = True
    axis: int = -1
    largest: int = 1
    sorted: int = 1

    def infer(self, x: TensorType, k: TensorType) -> tuple[TensorType, TensorType]:
        axis = normalize_axis(self.axis, x.rank)
        if k.size != 1:
            raise InferError("NN0204", f"K of TopK is one number, this is {k}")
        count, size = k.elements[0] if k.elements else new_dim("k", 0), x.shape[axis]
        if isinstance(count, int) and isinstance(size, int) and not 0 <= count <= size:
            raise InferError("NN0205", f"cannot take {count} of {size} elements")
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        return TensorType(x.dtype, shape), TensorType(DType.I64, shape)

    def vjp(self, at: Vjp) -> Gradients:
        g = at.dy[0]
        if g is None:
            return None, None
        scatter = ScatterElements(axis=self.axis, reduction="add")
        return at.b(scatter, zeros_like(at.b, at.x), at.outputs[1], g), None


OPS: tuple[type[Op], ...] = (*(Gather, GatherGrad, GatherElements, ScatterElements, OneHot, TopK),)
