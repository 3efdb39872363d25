"""Pooling of image regions to one size, as detectors do it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.activation import Relu
from nncomp.ops.comparison import And, GreaterOrEqual, Less, LessOrEqual
from nncomp.ops.control_building import Values, add_loop
from nncomp.ops.conversion import Cast, StopGradient, Where
from nncomp.ops.elementwise import Add, Div, Max, Mod, Mul, Sub
from nncomp.ops.elementwise_math import Abs, Ceil, Floor, Sign
from nncomp.ops.forms import arange, full, reduce_mean, reshape, transpose
from nncomp.ops.indexing import Gather, require_index
from nncomp.ops.linear import MatMul
from nncomp.ops.reduction import ReduceMax
from nncomp.ops.rules import require_equal, require_float, require_one_of, require_rank, same_dtype
from nncomp.ops.sampling import Pixels, Tap, Taps, add_up, clamp, linear_taps, size_of, within
from nncomp.ops.shape import Unsqueeze
from nncomp.types import DType, TensorType

COORDINATES = ("half_pixel", "output_half_pixel")


@dataclass(frozen=True)
class Extent:
    """Where regions lie along an axis.

    first, length: [R, 1], in pixels; bins: how many parts there are; size: of the image
    """

    first: Value
    length: Value
    bins: int
    size: DimLike

    def places(self, b: Builder, ratio: int) -> Value:
        """[R, bins · ratio]: evenly, so many in each bin."""
        count = self.bins * ratio
        steps = ((np.arange(count) + 0.5) / count).astype(self.first.type.dtype.numpy)
        return b(Add(), self.first, b(Mul(), self.length, b.constant(steps)))

    def counts(self, b: Builder) -> Value:
        """[R, 1]: how large a bin is, rounded up; below 1 for a region without extent."""
        return b(Ceil(), b(Div(), self.length, float(self.bins)))

    def place(self, b: Builder, count: Value, number: Value) -> Value:
        """[R, bins]: the place of that number in each bin."""
        bins = b.constant(np.arange(self.bins, dtype=self.first.type.dtype.numpy))
        part = b(Div(), b(Add(), number, 0.5), b(Max(), count, b.constant(1, count.type.dtype)))
        width = b(Div(), self.length, float(self.bins))
        return b(Add(), self.first, b(Mul(), b(Add(), bins, part), width))

    def taps(self, b: Builder, place: Value) -> Taps:
        """The neighbours of places; what is more than a pixel outside counts for nothing."""
        taps = linear_taps(b, self._inner(b, place), self.size, zeros=False)
        counted = self._counted(b, place)
        return [Tap(t.place, b(Mul(), t.weight, counted)) for t in taps]

    def means(self, b: Builder) -> Value:
        """[R, bins, size]: the share of each pixel in the mean over the places of a bin, as many
        as it is large. Taken as given: no gradient reaches the regions."""
        dtype, count = self.first.type.dtype, self.counts(b)
        runs = b(Cast(DType.I64), b(ReduceMax(keepdims=0), count))
        pixel = b(Cast(dtype), arange(b, self.size))

        def step(b: Builder, run: Value, states: Values) -> Values:
            number = b(Cast(dtype), run)
            place = self.place(b, count, number)
            weight = b(Mul(), self._counted(b, place), b(Cast(dtype), b(Less(), number, count)))
            weight, inner = (b(Unsqueeze(), v, b.ints(2)) for v in (weight, self._inner(b, place)))
            near = b(Relu(), b(Sub(), 1.0, b(Abs(), b(Sub(), pixel, inner))))
            return [b(Add(), states[0], b(Mul(), near, weight))]

        nothing = full(b, 0, dtype, (self.first.shape[0], self.bins, self.size))
        total = add_loop(b, runs, step, [nothing], name="places")[0]
        many = b(Max(), count, b.constant(1, dtype))
        return b(StopGradient(), b(Div(), total, b(Unsqueeze(), many, b.ints(2))))

    def _counted(self, b: Builder, place: Value) -> Value:
        return within(b, place, -1.0, size_of(b, self.size, place))

    def _inner(self, b: Builder, place: Value) -> Value:
        return clamp(b, place, 0.0, b(Sub(), size_of(b, self.size, place), 1.0))


@operator
class RoiAlign(Op):
    """Regions of images pooled to one size, from values between the pixels (ONNX RoiAlign-22; He
    et al., 2017).

    X: [N, C, H, W]; rois: [R, 4], (x1, y1, x2, y2) before spatial_scale; batch_indices: i64 [R];
    Y: [R, C, output_height, output_width]
    sampling_ratio: places in each direction of a bin; 0 for the bin's size, rounded up
    mode: "avg" of the values at the places; "max" of what each neighbour adds to one
    coordinate_transformation_mode: "half_pixel" where a pixel's centre is at ½, or
        "output_half_pixel", of whose regions none is smaller than a pixel
    """

    signature = "X, rois, batch_indices -> Y"
    coordinate_transformation_mode: str = "half_pixel"
    mode: str = "avg"
    output_height: int = 1
    output_width: int = 1
    sampling_ratio: int = 0
    spatial_scale: float = 1.0

    def infer(self, x: TensorType, rois: TensorType, batch: TensorType) -> TensorType:
        require_one_of("mode", self.mode, ("avg", "max"))
        require_one_of(
            "coordinate_transformation_mode", self.coordinate_transformation_mode, COORDINATES
        )
        for name in ("output_height", "output_width"):
            if getattr(self, name) < 1:
                raise InferError("NN0208", f"{name} must be positive, not {getattr(self, name)}")
        if self.sampling_ratio < 0:
            raise InferError("NN0208", f"sampling_ratio must not be {self.sampling_ratio}")
        require_index(batch)
        require_rank(batch, 1, "the vector of batch indices")
        _check_regions(x, rois, 4)
        require_equal(
            batch.shape[0], rois.shape[0], f"{rois} has no batch index for each region in {batch}"
        )
        return TensorType(
            x.dtype, (rois.shape[0], x.shape[1], self.output_height, self.output_width)
        )

    def decompose(self, b: Builder, x: Value, rois: Value, batch: Value) -> Value:
        across = self._extent(b, rois, 0, self.output_width, x.shape[3])
        down = self._extent(b, rois, 1, self.output_height, x.shape[2])
        if self.sampling_ratio:
            return self._fixed(b, x, batch, down, across)
        if self.mode == "max":
            return self._largest(b, x, batch, down, across)
        # each result is linear in the image's rows, and in its columns
        image = b(Gather(axis=0), x, batch)
        rows, columns = (b(Unsqueeze(), e.means(b), b.ints(1)) for e in (down, across))
        return b(MatMul(), b(MatMul(), rows, image), transpose(b, columns, 0, 1, 3, 2))

    def _extent(self, b: Builder, rois: Value, axis: int, bins: int, size: DimLike) -> Extent:
        """Where the regions lie along an axis, 0 for x."""
        first, last = (
            b(Mul(), b(Gather(axis=1), rois, b.ints(place)), self.spatial_scale)
            for place in (axis, axis + 2)
        )
        length = b(Sub(), last, first)
        if self.coordinate_transformation_mode == "half_pixel":
            first = b(Sub(), first, 0.5)
        else:
            length = b(Max(), length, b.constant(1, rois.type.dtype))
        return Extent(first, length, bins, size)

    def _fixed(self, b: Builder, x: Value, batch: Value, down: Extent, across: Extent) -> Value:
        """The same number of places in each bin."""
        ratio = self.sampling_ratio
        regions = batch.shape[0]
        column, row = (e.taps(b, e.places(b, ratio)) for e in (down, across))
        found = self._corners(b, x, batch, column, row)
        sizes = (self.output_height, ratio, self.output_width, ratio)
        found = reshape(b, found, regions, *sizes, x.shape[1])
        if self.mode == "max":
            pooled = b(ReduceMax(keepdims=0), found, b.ints(2, 4))
        else:
            pooled = reduce_mean(b, found, [2, 4])
        return transpose(b, pooled, 0, 3, 1, 2)

    def _corners(self, b: Builder, x: Value, batch: Value, column: Taps, row: Taps) -> Value:
        """[R, down, across, C]: the sum or the largest of the neighbours' shares."""
        regions = batch.shape[0]
        column = [t.reshaped(b, regions, -1, 1) for t in column]
        row = [t.reshaped(b, regions, 1, -1) for t in row]
        corners = Pixels(b, x).corners(reshape(b, batch, regions, 1, 1), [column, row])
        return b(Max(), *corners) if self.mode == "max" else add_up(b, corners)

    def _largest(self, b: Builder, x: Value, batch: Value, down: Extent, across: Extent) -> Value:
        """As many places in each bin as it is large: one of them in each run of a loop."""
        counts = [e.counts(b) for e in (down, across)]
        most = [b(Cast(DType.I64), b(ReduceMax(keepdims=0), c)) for c in counts]
        dtype, shape = x.type.dtype, (batch.shape[0], down.bins, across.bins, x.shape[1])
        zero = b.constant(0, DType.I64)
        most = [b(Max(), m, zero) for m in most]

        def step(b: Builder, run: Value, states: Values) -> Values:
            numbers = [
                b(Cast(dtype), b(Div(), run, most[1])),
                b(Cast(dtype), b(Mod(), run, most[1])),
            ]
            taps, counted = [], []
            for extent, count, number in zip((down, across), counts, numbers, strict=True):
                taps.append(extent.taps(b, extent.place(b, count, number)))
                counted.append(b(Less(), number, count))
            here = reshape(b, b(And(), *counted), batch.shape[0], 1, 1, 1)
            found = b(Max(), states[0], self._corners(b, x, batch, *taps))
            return [b(Where(), here, found, states[0])]

        least = full(b, -math.inf, dtype, shape)
        found = add_loop(b, b(Mul(), *most), step, [least], name="places")[0]
        found = b(Where(), b(LessOrEqual(), found, least), b.constant(0, dtype), found)
        return transpose(b, found, 0, 3, 1, 2)


@operator
class MaxRoiPool(Op):
    """Regions of images pooled to one size, by the largest element (ONNX MaxRoiPool-22; Girshick,
    2015).

    X: [N, C, H, W]; rois: [R, 5], (batch index, x1, y1, x2, y2) before spatial_scale, rounded to
    whole pixels; Y: [R, C, *pooled_shape], 0 for a bin without pixels
    """

    signature = "X, rois -> Y"
    pooled_shape: tuple[int, ...]
    spatial_scale: float = 1.0

    def infer(self, x: TensorType, rois: TensorType) -> TensorType:
        if len(self.pooled_shape) != 2 or min(self.pooled_shape) < 1:
            raise InferError("NN0208", f"pooled_shape is two sizes, not {list(self.pooled_shape)}")
        _check_regions(x, rois, 5)
        return TensorType(x.dtype, (rois.shape[0], x.shape[1], *self.pooled_shape))

    def decompose(self, b: Builder, x: Value, rois: Value) -> Value:
        batch = b(Cast(DType.I64), b(Gather(axis=1), rois, b.constant(0, DType.I64)))
        regions = rois.shape[0]
        across = self._bins(b, rois, 1, self.pooled_shape[1], x.shape[3])
        down = self._bins(b, rois, 2, self.pooled_shape[0], x.shape[2])
        least = b.constant(-np.inf, x.type.dtype)
        # [R, C, 1, H, W] in bins [R, 1, PW, 1, W], then [R, C, 1, PW, H] in bins [R, 1, PH, 1, H]
        image = reshape(b, b(Gather(axis=0), x, batch), regions, x.shape[1], 1, *x.shape[2:])
        mask = reshape(b, across, regions, 1, self.pooled_shape[1], 1, x.shape[3])
        columns = b(ReduceMax(keepdims=0), b(Where(), mask, image, least), b.ints(-1))
        columns = reshape(b, columns, regions, x.shape[1], 1, self.pooled_shape[1], x.shape[2])
        mask = reshape(b, down, regions, 1, self.pooled_shape[0], 1, x.shape[2])
        found = b(ReduceMax(keepdims=0), b(Where(), mask, columns, least), b.ints(-1))
        empty = b(LessOrEqual(), found, least)
        return b(Where(), empty, b.constant(0, x.type.dtype), found)

    def _bins(self, b: Builder, rois: Value, axis: int, bins: int, size: DimLike) -> Value:
        """Which pixels [R, bins, size] along an axis are in which bin; 1 for x."""
        first, last = (
            _rounded(b, b(Mul(), b(Gather(axis=1), rois, b.ints(place)), self.spatial_scale))
            for place in (axis, axis + 2)
        )
        length = b(Max(), b(Add(), b(Sub(), last, first), 1.0), b.constant(1, rois.type.dtype))
        count = b.constant(np.arange(bins, dtype=rois.type.dtype.numpy))
        width = b(Div(), length, float(bins))
        start = b(Add(), b(Floor(), b(Mul(), count, width)), first)
        end = b(Add(), b(Ceil(), b(Mul(), b(Add(), count, 1.0), width)), first)
        pixel = b(Cast(rois.type.dtype), arange(b, size))
        start, end = (reshape(b, v, rois.shape[0], bins, 1) for v in (start, end))
        return b(And(), b(GreaterOrEqual(), pixel, start), b(Less(), pixel, end))


def _rounded(b: Builder, x: Value) -> Value:
    """The nearest integer, halves away from zero."""
    return b(Mul(), b(Sign(), x), b(Floor(), b(Add(), b(Abs(), x), 0.5)))


def _check_regions(x: TensorType, rois: TensorType, numbers: int) -> None:
    require_float(x)
    require_rank(x, 4, "the image batch")
    same_dtype(x, rois)
    require_rank(rois, 2, "the list of regions")
    require_equal(
        rois.shape[1], numbers, f"a region has {numbers} numbers, {rois} has {rois.shape[1]}"
    )


OPS: tuple[type[Op], ...] = (RoiAlign, MaxRoiPool)
