"""Images read at the places of a grid, and grids from affine maps (spatial transformers)."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import DimLike, maximum
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.comparison import Equal
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mod, Mul, Sub
from nncomp.ops.elementwise_math import Abs, Floor, Round
from nncomp.ops.filling import shape_operand
from nncomp.ops.forms import arange, reshape, transpose
from nncomp.ops.indexing import Gather
from nncomp.ops.rules import require_equal, require_float, require_one_of, same_dtype
from nncomp.ops.sampling import (
    Pixels,
    Tap,
    Taps,
    add_up,
    clamp,
    linear_taps,
    size_of,
    tap,
)
from nncomp.ops.windows import require_spatial
from nncomp.types import DType, TensorType

MODES = ("linear", "nearest", "cubic")
PADDINGS = ("zeros", "border", "reflection")
_CUBIC = -0.75  # Keys' coefficient, as PyTorch has it


@operator
class AffineGrid(Op):
    """The grid of places that affine maps send each pixel's to (ONNX AffineGrid-20; Jaderberg et
    al., 2015).

    theta: [N, r, r + 1] for r = 2 or 3 spatial axes; size: i64 [N, C, S…]; grid: [N, S…, r], x
    before y before z, in [-1, 1] from the first to the last pixel's centre with align_corners,
    else from the image's edge to its edge
    """

    signature = "theta, size -> grid"
    align_corners: int = 0

    def infer(self, theta: TensorType, size: TensorType) -> TensorType:
        require_float(theta)
        sizes = shape_operand(size, "the size of AffineGrid")
        axes = len(sizes) - 2
        if axes not in (2, 3) or theta.rank != 3:
            raise InferError(
                "NN0204", f"[N, C, H, W] or [N, C, D, H, W] is a size, not {size} with {theta}"
            )
        for given, wanted in zip(theta.shape, (sizes[0], axes, axes + 1), strict=True):
            require_equal(
                given,
                wanted,
                f"theta is [{sizes[0]}, {axes}, {axes + 1}] for {axes} spatial axes, not {theta}",
            )
        return TensorType(theta.dtype, (sizes[0], *sizes[2:], axes))

    def decompose(self, b: Builder, theta: Value, size: Value) -> Value:
        sizes = shape_operand(size.type, "the size of AffineGrid")[2:]
        axes = len(sizes)

        def column(number: int) -> Value:
            part = b(Gather(axis=2), theta, b.constant(number, DType.I64))
            return reshape(b, part, part.shape[0], *(1,) * axes, axes)

        terms = [column(axes)]
        for number, extent in enumerate(reversed(sizes)):
            place = self._places(b, extent, theta)
            place = reshape(b, place, extent, *(1,) * (number + 1))
            terms.append(b(Mul(), column(number), place))
        return add_up(b, terms)

    def _places(self, b: Builder, extent: DimLike, like: Value) -> Value:
        count = b(Cast(like.type.dtype), arange(b, extent))
        if self.align_corners:
            scaled = b(Div(), b(Mul(), count, 2.0), size_of(b, maximum(1, extent - 1), like))
        else:
            twice = b(Add(), b(Mul(), count, 2.0), 1.0)
            scaled = b(Div(), twice, size_of(b, extent, like))
        return b(Sub(), scaled, 1.0)


@operator
class GridSample(Op):
    """X read at the places of a grid (ONNX GridSample-22).

    X: [N, C, S…]; grid: [N, P…, r] for r spatial axes, the last of them first, from -1 to 1 as
    AffineGrid has it; Y: [N, C, P…]
    mode: "linear" over the neighbours, "nearest", "cubic" (Keys, 1981)
    padding_mode: what is beyond the edge: "zeros", "border" (the pixel at the edge), "reflection"
    """

    signature = "X, grid -> Y"
    align_corners: int = 0
    mode: str = "linear"
    padding_mode: str = "zeros"

    def infer(self, x: TensorType, grid: TensorType) -> TensorType:
        require_one_of("mode", self.mode, MODES)
        require_one_of("padding_mode", self.padding_mode, PADDINGS)
        require_float(x)
        same_dtype(x, grid)
        axes = require_spatial(x, "GridSample")
        if grid.rank != x.rank:
            raise InferError("NN0204", f"the grid {grid} and {x} differ in rank", operand=1)
        require_equal(grid.shape[0], x.shape[0], f"{grid} is no grid for the batch of {x}")
        require_equal(grid.shape[-1], axes, f"{grid} needs {axes} numbers for each place in {x}")
        return TensorType(x.dtype, (*x.shape[:2], *grid.shape[1:-1]))

    def decompose(self, b: Builder, x: Value, grid: Value) -> Value:
        sizes = x.shape[2:]
        taps = [
            self._taps(b, b(Gather(axis=-1), grid, b.constant(place, DType.I64)), size)
            for place, size in zip(reversed(range(len(sizes))), sizes, strict=True)
        ]
        pixels = Pixels(b, x)
        found = pixels.interpolate(pixels.own_batch(grid.rank - 1), taps)
        return transpose(b, found, 0, found.rank - 1, *range(1, found.rank - 1))

    def _taps(self, b: Builder, place: Value, size: DimLike) -> Taps:
        """The taps along an axis for places from -1 to 1."""
        x = self._pixels(b, place, size)
        zeros = self.padding_mode == "zeros"
        if self.mode == "nearest":
            x = b(Round(), x)
        x = self._padded(b, x, size)
        if self.mode == "nearest":
            return [tap(b, x, b.constant(1, x.type.dtype), size, zeros=zeros)]
        if self.mode == "linear":
            return linear_taps(b, x, size, zeros=zeros)
        return self._cubic_taps(b, x, size)

    def _pixels(self, b: Builder, place: Value, size: DimLike) -> Value:
        """Places from -1 to 1 as numbers of pixels."""
        half = b(Div(), b(Add(), place, 1.0), 2.0)
        if self.align_corners:
            return b(Mul(), half, _last(b, size, place))
        return b(Sub(), b(Mul(), half, size_of(b, size, place)), 0.5)

    def _padded(self, b: Builder, x: Value, size: DimLike) -> Value:
        """Places beyond the edge brought inside, where the padding says to what. (Of a cubic each
        tap is brought inside by itself, as PyTorch and onnxruntime have it.)"""
        if self.padding_mode == "zeros" or self.mode == "cubic":
            return x
        if self.padding_mode == "reflection":
            return self._reflected(b, x, size)
        return clamp(b, x, 0.0, _last(b, size, x))

    def _reflected(self, b: Builder, x: Value, size: DimLike) -> Value:
        """x mirrored at both ends until it is between them."""
        low = 0.0 if self.align_corners else -0.5
        span = maximum(1, size - 1) if self.align_corners else size
        width = size_of(b, span, x)
        way = b(Abs(), b(Sub(), x, low))
        flips = b(Floor(), b(Div(), way, width))
        rest = b(Sub(), way, b(Mul(), flips, width))
        back = b(Sub(), width, rest)
        odd = b(Equal(), b(Mod(fmod=1), flips, 2.0), 1.0)
        return b(Add(), b(Where(), odd, back, rest), low)

    def _cubic_taps(self, b: Builder, x: Value, size: DimLike) -> Taps:
        floor = b(Floor(), x)
        part = b(Sub(), x, floor)
        rest = b(Sub(), 1.0, part)
        weights = (_outer(b, part), _inner(b, part), _inner(b, rest), _outer(b, rest))
        found: list[Tap] = []
        for i, weight in enumerate(weights):
            place = b(Add(), floor, float(i - 1))
            if self.padding_mode == "reflection":
                place = self._reflected(b, place, size)
            found.append(tap(b, place, weight, size, zeros=self.padding_mode == "zeros"))
        return found


def _last(b: Builder, size: DimLike, like: Value) -> Value:
    return b(Sub(), size_of(b, size, like), 1.0)


def _inner(b: Builder, t: Value) -> Value:
    """The weight of a pixel t < 1 away: (a + 2) t³ - (a + 3) t² + 1."""
    return _polynomial(b, t, (_CUBIC + 2, -(_CUBIC + 3), 0.0, 1.0))


def _outer(b: Builder, t: Value) -> Value:
    """The weight of a pixel 1 + t away: a t (1 - t)²."""
    return _polynomial(b, t, (_CUBIC, -2 * _CUBIC, _CUBIC, 0.0))


def _polynomial(b: Builder, t: Value, factors: Sequence[float]) -> Value:
    total = b(Mul(), t, factors[0])
    for factor in factors[1:-1]:
        total = b(Mul(), b(Add(), total, factor), t)
    return b(Add(), total, factors[-1])


OPS: tuple[type[Op], ...] = (AffineGrid, GridSample)
