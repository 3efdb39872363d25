"""Blocks of elements moved between channels and space."""

from __future__ import annotations

import numpy as np

from nncomp.dims import DimLike, equal, floordiv, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.conv import Conv
from nncomp.ops.filling import shape_operand
from nncomp.ops.forms import reshape, transpose
from nncomp.ops.windows import Attributes, Ints, Window, out_of_range, require_same
from nncomp.types import STRINGS, TensorType


@operator
class Col2Im(Op):
    """Columns added up at their windows' places, the transpose of im2col (ONNX Col2Im-18).

    input: [N, C · taps, windows], taps and windows counted row-major over the spatial axes;
    image_shape, block_shape: i64, a size for each spatial axis; output: [N, C, *image_shape]
    """

    signature = "input, image_shape, block_shape -> output"
    dilations: Ints = None
    pads: Ints = None
    strides: Ints = None

    def windows(self, image: tuple[DimLike, ...], block: tuple[DimLike, ...]) -> tuple[Window, ...]:
        """The windows over the image."""
        attributes = Attributes(self.strides, self.dilations, self.pads, "NOTSET")
        return attributes.resolve(block, image)

    def infer(
        self, columns: TensorType, image_shape: TensorType, block_shape: TensorType
    ) -> TensorType:
        image = shape_operand(image_shape, "image_shape")
        block = shape_operand(block_shape, "block_shape")
        if columns.rank != 3:
            raise InferError("NN0204", f"columns are [N, C · taps, windows], this is {columns}")
        if len(image) != len(block):
            raise InferError(
                "NN0205", f"the image has {len(image)} axes and the block {len(block)}"
            )
        taps = product(block)
        channels = columns.shape[1]
        if channels % taps != 0:
            raise InferError(
                "NN0205",
                f"{channels} rows of columns do not divide into blocks of {taps}",
                operand=0,
                axis=1,
            )
        count = product(v.outputs for v in self.windows(image, block))
        if equal(columns.shape[2], count) is False:
            raise InferError(
                "NN0205",
                f"{columns.shape[2]} columns are given for {count} windows",
                operand=0,
                axis=2,
                help="check strides, pads and dilations",
            )
        return TensorType(columns.dtype, (columns.shape[0], floordiv(channels, taps), *image))

    def vjp(self, at: Vjp) -> Gradients:
        """im2col, as a convolution of each channel with one kernel for each tap."""
        b, g = at.b, at.g
        block_shape = at.inputs[2]
        assert block_shape is not None
        block = block_shape.type.elements
        if block is None or not all(isinstance(k, int) for k in block):
            raise InferError("NN0212", "the gradient of Col2Im needs a known block_shape")
        sizes = tuple(k for k in block if isinstance(k, int))
        taps = int(np.prod(sizes))
        eye = np.eye(taps, dtype=g.type.dtype.numpy).reshape(taps, 1, *sizes)
        n, c, *spatial = g.shape
        conv = Conv(dilations=self.dilations, pads=self.pads, strides=self.strides)
        columns = b(conv, reshape(b, g, n * c, 1, *spatial), b.constant(eye))
        return reshape(b, columns, *at.x.shape), None, None


def _blocks(x: TensorType, blocksize: int) -> None:
    if x.rank != 4:
        raise InferError("NN0204", f"blocks move in [N, C, H, W], this is {x}", operand=0)
    if blocksize < 1:
        out_of_range(f"blocksize={blocksize} must be positive")


@operator
class DepthToSpace(Op):
    """Channels laid out as blocks of space (ONNX DepthToSpace-13).

    input: [N, C · blocksize², H, W] -> output: [N, C, H · blocksize, W · blocksize]
    mode: "DCR" takes channels as [block row, block column, C], "CRD" as [C, row, column]
    (PyTorch's pixel_shuffle)
    """

    signature = "input -> output"
    takes = STRINGS
    blocksize: int
    mode: str = "DCR"

    def infer(self, x: TensorType) -> TensorType:
        _blocks(x, self.blocksize)
        if self.mode not in ("DCR", "CRD"):
            out_of_range(f'mode="{self.mode}"', "DCR or CRD")
        n, c, h, w = x.shape
        square = self.blocksize**2
        require_same(
            c % square,
            0,
            f"{c} channels do not divide into blocks of {square}",
            operand=0,
            axis=1,
        )
        size = self.blocksize
        return TensorType(x.dtype, (n, floordiv(c, square), h * size, w * size))

    def vjp(self, at: Vjp) -> Gradients:
        if self.mode == "DCR":
            return (at.b(SpaceToDepth(self.blocksize), at.g),)
        b, k = at.b, self.blocksize
        n, c, h, w = at.y.shape
        blocks = reshape(b, at.g, n, c, floordiv(h, k), k, floordiv(w, k), k)
        return (reshape(b, transpose(b, blocks, 0, 1, 3, 5, 2, 4), *at.x.shape),)

    def decompose(self, b: Builder, x: Value) -> Value:
        n, c, h, w = x.shape
        k = self.blocksize
        depth = floordiv(c, k * k)
        if self.mode == "DCR":
            blocks = transpose(b, reshape(b, x, n, k, k, depth, h, w), 0, 3, 4, 1, 5, 2)
        else:
            blocks = transpose(b, reshape(b, x, n, depth, k, k, h, w), 0, 1, 4, 2, 5, 3)
        return reshape(b, blocks, n, depth, h * k, w * k)


@operator
class SpaceToDepth(Op):
    """Blocks of space laid out as channels, [block row, block column, C] (ONNX SpaceToDepth-13).

    input: [N, C, H, W] -> output: [N, C · blocksize², H / blocksize, W / blocksize]
    """

    signature = "input -> output"
    takes = STRINGS
    blocksize: int

    def infer(self, x: TensorType) -> TensorType:
        _blocks(x, self.blocksize)
        n, c, h, w = x.shape
        size = self.blocksize
        for axis, name in ((2, "height"), (3, "width")):
            require_same(
                x.shape[axis] % size,
                0,
                f"{name} {x.shape[axis]} does not divide into blocks of {size}",
                operand=0,
                axis=axis,
                help="pad the input, or say the size as a multiple: `h*2`",
            )
        return TensorType(x.dtype, (n, c * size**2, floordiv(h, size), floordiv(w, size)))

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(DepthToSpace(self.blocksize), at.g),)

    def decompose(self, b: Builder, x: Value) -> Value:
        n, c, h, w = x.shape
        k = self.blocksize
        blocks = reshape(b, x, n, c, floordiv(h, k), k, floordiv(w, k), k)
        moved = transpose(b, blocks, 0, 3, 5, 1, 2, 4)
        return reshape(b, moved, n, c * k * k, floordiv(h, k), floordiv(w, k))


OPS: tuple[type[Op], ...] = (Col2Im, DepthToSpace, SpaceToDepth)
