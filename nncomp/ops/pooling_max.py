"""Max pooling, its gradient and its partial inverse."""

from __future__ import annotations

from dataclasses import replace

from nncomp.dims import DimLike, equal, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.convolution import shape_operand
from nncomp.ops.forms import full, reshape, window
from nncomp.ops.indexing import Gather, ScatterElements
from nncomp.ops.pooling_base import Pool
from nncomp.ops.shape import Reshape
from nncomp.ops.windows import Attributes, Ints, out_of_range, require_spatial
from nncomp.types import DType, Shape, TensorType

_BYTES = (DType.I8, DType.U8)


@operator
class MaxPool(Pool):
    """The largest element of each window, and where it stands (ONNX MaxPool-22).

    X: [N, C, spatial…]; Y, Indices: [N, C, windows…]. Indices count all elements of X row-major;
    under storage_order 1 the spatial axes of each channel are counted column-major. Of equal
    elements the first wins.
    """

    signature = "X -> Y, Indices"
    storage_order: int = 0

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        if not x.dtype.is_float and x.dtype not in _BYTES:
            raise InferError(
                "NN0203",
                f"max pooling takes floats and 8-bit integers, this is {x}",
                help="convert it with `cast`",
            )
        shape = self.pooled(x)
        return TensorType(x.dtype, shape), TensorType(DType.I64, shape)

    def vjp(self, at: Vjp) -> Gradients:
        if at.dy[0] is None:
            return (None,)
        indices = at.outputs[1]
        if self.storage_order != 0:
            indices = at.b.multi(replace(self, storage_order=0), at.x)[1]
        gradient = MaxPoolGrad(**self.shared_attributes())
        return (at.b(gradient, at.dy[0], indices, at.b.dims(at.x.shape)),)


@operator
class MaxPoolGrad(Pool):
    """Zeros, plus each dY where MaxPool found its element.

    dY, Indices: [N, C, windows…], Indices as of MaxPool with storage_order 0;
    shape: i64 [N, C, spatial…] of dX
    """

    signature = "dY, Indices, shape -> dX"
    domain = "nncomp"

    def infer(self, dy: TensorType, indices: TensorType, shape: TensorType) -> TensorType:
        if indices.dtype is not DType.I64:
            raise InferError("NN0203", f"indices are i64, these are {indices}", operand=1)
        if dy.rank != indices.rank or any(
            equal(a, b) is False for a, b in zip(dy.shape, indices.shape, strict=True)
        ):
            raise InferError("NN0205", f"the gradient {dy} has no index for each of its elements")
        return shape_operand(shape, dy.rank, dy)

    def vjp(self, at: Vjp) -> Gradients:
        indices = at.inputs[1]
        return at.b(Gather(), reshape(at.b, at.g, -1), indices), None, None

    def decompose(self, b: Builder, dy: Value, indices: Value, shape: Value) -> Value:
        return _scattered(b, dy, indices, shape, reduction="add")


def _scattered(b: Builder, x: Value, indices: Value, shape: Value, *, reduction: str) -> Value:
    """Zeros of that shape with x at its flat indices."""
    elements = shape.type.elements
    assert elements is not None
    flat = full(b, 0, x.type.dtype, [product(elements)])
    flat = b(ScatterElements(reduction=reduction), flat, reshape(b, indices, -1), reshape(b, x, -1))
    return b(Reshape(), flat, shape)


@operator
class MaxUnpool(Op):
    """Zeros with each X at its index: MaxPool undone but for what it dropped (ONNX MaxUnpool-22).

    X, I: [N, C, windows…], I as MaxPool's Indices; output: [N, C, spatial…], of the smallest size
    that MaxPool makes into X's. A larger output_shape is filled with zeros behind, in each axis.
    """

    signature = "X, I, output_shape? -> output"
    kernel_shape: tuple[int, ...]
    pads: Ints = None
    strides: Ints = None

    def smallest(self, x: Shape) -> Shape:
        """The shape that the indices count in."""
        rank = len(x) - 2
        if len(self.kernel_shape) != rank:
            out_of_range(
                f"kernel_shape={list(self.kernel_shape)} has {len(self.kernel_shape)} numbers "
                f"for {rank} spatial axes",
                f"give {rank}",
            )
        attributes = Attributes(self.strides, None, self.pads, "NOTSET")
        strides = attributes.each("strides", self.strides, rank)
        pads = attributes.padding(rank)
        sizes: list[DimLike] = [
            (size - 1) * strides[i] + self.kernel_shape[i] - pads[i] - pads[i + rank]
            for i, size in enumerate(x[2:])
        ]
        return (*x[:2], *sizes)

    def infer(
        self, x: TensorType, indices: TensorType, output_shape: TensorType | None = None
    ) -> TensorType:
        require_spatial(x, "max unpooling")
        if indices.dtype is not DType.I64:
            raise InferError("NN0203", f"indices are i64, these are {indices}", operand=1)
        if indices.rank != x.rank or not all(map(equal, indices.shape, x.shape)):
            raise InferError(
                "NN0205", f"the indices {indices} are not one for each element of {x}", operand=1
            )
        smallest = self.smallest(x.shape)
        if output_shape is None:
            return TensorType(x.dtype, smallest)
        result = shape_operand(output_shape, x.rank, x)
        for axis, (size, least) in enumerate(zip(result.shape, smallest, strict=True)):
            if isinstance(size, int) and isinstance(least, int) and size < least:
                raise InferError(
                    "NN0205",
                    f"output_shape gives axis {axis} {size} elements, the indices reach {least}",
                    operand=2,
                )
        return result

    def vjp(self, at: Vjp) -> Gradients:
        b, g = at.b, at.g
        smallest = self.smallest(at.x.shape)
        if g.shape != smallest:
            axes = range(g.rank)
            g = window(b, g, [0] * g.rank, smallest, axes)
        dx = b(Gather(), reshape(b, g, -1), at.inputs[1])
        return (dx, None, None)[: len(at.inputs)]


OPS: tuple[type[Op], ...] = (MaxPool, MaxPoolGrad, MaxUnpool)
