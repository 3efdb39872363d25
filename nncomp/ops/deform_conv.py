"""Convolution whose taps are moved by offsets that the network computes."""

from __future__ import annotations

import numpy as np

from nncomp.dims import DimLike, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.conversion import Cast
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.forms import arange, per_channel, reshape, transpose
from nncomp.ops.indexing import Gather
from nncomp.ops.linear import MatMul
from nncomp.ops.rules import require_equal, same_dtype
from nncomp.ops.sampling import Pixels, linear_taps
from nncomp.ops.windows import Ints, Window, known, out_of_range
from nncomp.types import DType, Shape, TensorType


@operator
class DeformConv(Op):
    """Conv with a tap k at place p moved by offset[k, p], between pixels linear, and weighted by
    mask[k, p] (ONNX DeformConv-22; Dai et al., 2017; Zhu et al., 2019).

    X: [N, C, S…]; W: [M, C / group, kernel…]; B: [M]; Y: [N, M, P…]
    offset: [N, offset_group · taps · r, P…] for r spatial axes; mask: [N, offset_group · taps, P…]
    """

    signature = "X, W, offset, B?, mask? -> Y"
    dilations: Ints = None
    group: int = 1
    kernel_shape: Ints = None
    offset_group: int = 1
    pads: Ints = None
    strides: Ints = None

    @property
    def plain(self) -> Convolution:
        """The same without offsets."""
        return Convolution(
            dilations=self.dilations,
            group=self.group,
            kernel_shape=self.kernel_shape,
            pads=self.pads,
            strides=self.strides,
        )

    def infer(
        self,
        x: TensorType,
        w: TensorType,
        offset: TensorType,
        bias: TensorType | None = None,
        mask: TensorType | None = None,
    ) -> TensorType:
        result = self.plain.infer_forward(x, w, bias)
        same_dtype(x, offset, mask)
        if not all(isinstance(d, int) for d in w.shape[2:]):
            raise InferError("NN0212", f"the kernel of DeformConv must be known, this is {w}")
        if self.offset_group < 1 or x.shape[1] % self.offset_group != 0:
            out_of_range(f"offset_group={self.offset_group} does not divide {x.shape[1]} channels")
        taps = product(w.shape[2:]) * self.offset_group
        self._check(offset, result, taps * (x.rank - 2), "the offset", 2)
        if mask is not None:
            self._check(mask, result, taps, "the mask", 4)
        return result

    @staticmethod
    def _check(t: TensorType, result: TensorType, channels: DimLike, what: str, place: int) -> None:
        wanted = (result.shape[0], channels, *result.shape[2:])
        if t.rank != len(wanted):
            raise InferError("NN0204", f"{what} is {list(wanted)}, not {t}", operand=place)
        for size, own in zip(wanted, t.shape, strict=True):
            require_equal(own, size, f"{what} is {t}: {own} is not {size}")

    def decompose(
        self,
        b: Builder,
        x: Value,
        w: Value,
        offset: Value,
        bias: Value | None = None,
        mask: Value | None = None,
    ) -> Value:
        windows = self.plain.windows(x.shape, w.shape)
        result, taps = self._result(x.shape, w.shape, windows), known(product(w.shape[2:]))
        batch, groups, axes = x.shape[0] * self.offset_group, self.offset_group, len(windows)
        places = result[2:]
        moved = reshape(b, offset, batch, taps, axes, *places)
        grid = [
            linear_taps(b, self._places(b, moved, window, axis, w.shape), window.size, zeros=True)
            for axis, window in enumerate(windows)
        ]
        pixels = Pixels(b, reshape(b, x, batch, x.shape[1] // groups, *x.shape[2:]))
        read = pixels.interpolate(pixels.own_batch(2 + axes), grid)
        if mask is not None:
            read = b(Mul(), read, reshape(b, mask, batch, taps, *places, 1))
        columns = transpose(b, read, 0, 2 + axes, *range(1, 2 + axes))
        # each group's channels and taps side by side, for all places
        depth = x.shape[1] // self.group * taps
        columns = reshape(b, columns, x.shape[0], self.group, depth, product(places))
        weights = reshape(b, w, 1, self.group, w.shape[0] // self.group, depth)
        y = reshape(b, b(MatMul(), weights, columns), *result)
        return y if bias is None else b(Add(), y, per_channel(b, bias, y.rank))

    @staticmethod
    def _result(x: Shape, w: Shape, windows: tuple[Window, ...]) -> Shape:
        return (x[0], w[0], *(v.outputs for v in windows))

    @staticmethod
    def _places(b: Builder, moved: Value, window: Window, axis: int, w: Shape) -> Value:
        """[N · offset groups, taps, P…]: where each tap reads along an axis."""
        dtype, kernel = moved.type.dtype, [known(d) for d in w[2:]]
        own = np.indices(kernel)[axis].reshape(-1) * window.dilation - known(window.before)
        tap = b.constant(own.astype(dtype.numpy))
        start = b(Cast(dtype), b(Mul(), arange(b, window.outputs), window.stride))
        later = len(kernel) - 1 - axis
        base = b(
            Add(),
            reshape(b, tap, len(own), *(1,) * len(kernel)),
            reshape(b, start, window.outputs, *(1,) * later),
        )
        return b(Add(), base, b(Gather(axis=2), moved, b.constant(axis, DType.I64)))


OPS: tuple[type[Op], ...] = (DeformConv,)
