"""Slice, Pad, and both towards a size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nncomp.dims import DimLike, bounds, floordiv, maximum, minimum, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, NoGradientError, Op, Vjp, operator
from nncomp.ops.elements import typed
from nncomp.ops.elementwise import Sub
from nncomp.ops.elementwise_math import constant_number
from nncomp.ops.filling import Range, measured_shape, shape_operand
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import known_ints, normalize_axis, same_dtype
from nncomp.ops.shape import Squeeze, Unsqueeze, reshaped
from nncomp.types import NARROW, STRINGS, TensorType

_FAR = 2**31 - 1  # exporters write ends from here on for "to the end"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is taken of one axis: `count` elements from `start` on, `step` apart."""

    axis: int
    start: DimLike
    count: DimLike
    step: int


@operator
class Slice(Op):
    """start, start + step, … to before end, on each of the axes (ONNX Slice-13).

    Negative starts and ends count from the end of the axis; what is out of range is clamped. What
    is taken of an axis whose start, end or step is not known as a dim is a size that only the run
    knows.
    """

    signature = "data, starts, ends, axes?, steps? -> output"
    takes = STRINGS
    open_sizes = True

    def infer(
        self,
        x: TensorType,
        starts: TensorType,
        ends: TensorType,
        axes: TensorType | None = None,
        steps: TensorType | None = None,
    ) -> TensorType:
        shape = list(x.shape)
        elements = x.elements
        if not all(t is None or t.elements is not None for t in (starts, ends, axes, steps)):
            return TensorType(x.dtype, self._unknown(x, starts, ends, axes, steps))
        for s in self.stretches(x, starts, ends, axes, steps):
            shape[s.axis] = s.count
            if elements is not None and isinstance(s.start, int) and isinstance(s.count, int):
                elements = tuple(elements[s.start + i * s.step] for i in range(s.count))
            else:
                elements = None
        return typed(x.dtype, tuple(shape), elements)

    @staticmethod
    def _unknown(
        x: TensorType, starts: TensorType, *others: TensorType | None
    ) -> tuple[DimLike, ...]:
        """The shape where not all that is taken is known."""
        for t in (starts, *others):
            if t is not None and t.rank != 1:
                raise InferError("NN0204", f"starts and ends of Slice are vectors, this is {t}")
        axes = others[1]
        places = range(x.rank) if axes is None else axes.elements
        if axes is None and isinstance(starts.shape[0], int):
            places = range(min(starts.shape[0], x.rank))
        if places is None or not all(isinstance(axis, int) for axis in places):
            places = range(x.rank)
        open_axes = {normalize_axis(axis, x.rank) for axis in places if isinstance(axis, int)}
        return tuple(
            new_dim("slice", 0) if axis in open_axes else size for axis, size in enumerate(x.shape)
        )

    def stretches(
        self,
        x: TensorType,
        starts: TensorType,
        ends: TensorType,
        axes: TensorType | None = None,
        steps: TensorType | None = None,
    ) -> Iterator[Stretch]:
        """What is taken of each axis that is named."""
        first, last = _contents(starts, "starts"), _contents(ends, "ends")
        places = known_ints(axes, "axes") if axes else tuple(range(len(first)))
        strides = known_ints(steps, "steps") if steps else (1,) * len(first)
        assert places is not None
        assert strides is not None
        if not len(first) == len(last) == len(places) == len(strides):
            raise InferError("NN0204", "starts, ends, axes and steps of Slice differ in length")
        seen = set()
        for start, end, place, step in zip(first, last, places, strides, strict=True):
            axis = normalize_axis(place, x.rank)
            if axis in seen:
                raise InferError("NN0210", f"axis {axis} is sliced twice")
            seen.add(axis)
            if step == 0:
                raise InferError("NN0208", "a step of Slice must not be 0")
            yield _stretch(axis, x.shape[axis], start, end, step)

    def vjp(self, at: Vjp) -> Gradients:
        b, g = at.b, at.g
        types = [v.type if v is not None else None for v in at.inputs]
        if any(t is not None and t.elements is None for t in types[1:]):
            raise NoGradientError("what a Slice takes must be known as dims")
        found = list(self.stretches(*types))  # type: ignore[arg-type]
        before: list[DimLike] = [0] * at.x.rank
        after: list[DimLike] = [0] * at.x.rank
        for s in found:
            start, step = s.start, s.step
            if step < 0:  # turned round, it starts at its last element
                g = b(Slice(), g, b.ints(-1), b.ints(-(2**62)), b.ints(s.axis), b.ints(-1))
                start, step = start + (s.count - 1) * step, -step
            g = _spread(b, g, s.axis, step)
            covered = s.count * step
            before[s.axis] = start
            after[s.axis] = at.x.shape[s.axis] - start - covered
        dx = b(Pad(), g, b.dims((*before, *after)))
        return [dx, *[None] * (len(at.inputs) - 1)]


def _contents(t: TensorType, what: str) -> tuple[DimLike, ...]:
    if t.elements is None or t.rank != 1:
        raise InferError("NN0212", f"{what} of Slice must be a vector known while compiling")
    return t.elements


def _stretch(axis: int, size: DimLike, start: DimLike, end: DimLike, step: int) -> Stretch:
    if step > 0:
        first = _clamp(start, size, 0, size)
        last = _clamp(end, size, 0, size)
    else:
        first = _clamp(start, size, 0, size - 1)
        last = _clamp(end, size, -1, size - 1)
    count = maximum(0, -floordiv(first - last, step))
    return Stretch(axis, first, count, step)


def _clamp(place: DimLike, size: DimLike, low: int, high: DimLike) -> DimLike:
    """A place counted from the front, between low and high."""
    least, most = bounds(place)
    if least is not None and least >= _FAR:
        return high
    if most is not None and most <= -_FAR:
        return low
    if most is not None and most < 0:
        place = place + size
    elif least is None or least < 0:
        raise InferError("NN0206", f"whether {place} counts from the end is not known")
    return maximum(low, minimum(place, high))


def _spread(b: Builder, g: Value, axis: int, step: int) -> Value:
    """Each element along the axis followed by step - 1 zeros."""
    if step == 1:
        return g
    shape = list(g.shape)
    shape[axis] = shape[axis] * step
    g = b(Unsqueeze(), g, b.ints(axis + 1))
    pads = [0] * (2 * g.rank)
    pads[g.rank + axis + 1] = step - 1
    return reshaped(b, b(Pad(), g, b.ints(*pads)), shape)


MODES = ("constant", "reflect", "edge", "wrap")


@operator
class Pad(Op):
    """More elements before and after each axis; negative pads take away (ONNX Pad-25).

    pads: befores, then afters, of the axes (all of them without `axes`)
    mode: "constant" (constant_value, else 0), "reflect" (the edge not repeated), "edge", "wrap"
    """

    signature = "data, pads, constant_value?, axes? -> output"
    takes = NARROW | STRINGS
    open_sizes = True
    mode: str = "constant"

    def infer(
        self,
        x: TensorType,
        pads: TensorType,
        constant_value: TensorType | None = None,
        axes: TensorType | None = None,
    ) -> TensorType:
        if self.mode not in MODES:
            raise InferError("NN0208", f"mode is one of {', '.join(MODES)}, not {self.mode}")
        same_dtype(x, constant_value)
        if constant_value is not None and constant_value.size != 1:
            raise InferError("NN0204", f"constant_value is a scalar, this is {constant_value}")
        shape = list(x.shape)
        if pads.elements is None:
            for axis in _padded_axes(x, pads, axes):
                shape[axis] = new_dim("padded", 0)
            return TensorType(x.dtype, tuple(shape))
        for axis, before, after in self.amounts(x, pads, axes):
            size = shape[axis] + before + after
            if isinstance(size, int) and size < 0:
                raise InferError("NN0205", f"pads {before}, {after} leave nothing of axis {axis}")
            self._check_mirror(shape[axis], before, after)
            shape[axis] = size
        return TensorType(x.dtype, tuple(shape))

    def _check_mirror(self, size: DimLike, before: DimLike, after: DimLike) -> None:
        if self.mode != "reflect":
            return
        for pad in (before, after):
            if isinstance(pad, int) and isinstance(size, int) and pad >= size:
                raise InferError("NN0205", f"cannot reflect {pad} elements of {size}")

    @staticmethod
    def amounts(
        x: TensorType, pads: TensorType, axes: TensorType | None
    ) -> list[tuple[int, DimLike, DimLike]]:
        """(axis, before, after) for each axis that is named."""
        amounts = shape_operand(pads, "pads")
        places = _padded_axes(x, pads, axes)
        half = len(places)
        return list(zip(places, amounts[:half], amounts[half:], strict=True))

    def vjp(self, at: Vjp) -> Gradients:
        b, pads = at.b, at.inputs[1]
        value, axes = (*at.inputs[2:], None, None)[:2]
        assert pads is not None
        if pads.type.elements is None:
            raise NoGradientError("the pads of a Pad must be known as dims")
        amounts = [
            (axis, before, after)
            for axis, before, after in self.amounts(
                at.x.type, pads.type, axes.type if axes else None
            )
            if before != 0 or after != 0
        ]
        if self.mode == "constant":
            dx = _unpad(b, at.g, at.x.type, amounts)
            dvalue = None
            if value is not None and constant_number(value) is None:
                dvalue = b(Sub(), _total(b, at.g), _total(b, dx))
                if value.rank:
                    dvalue = reshaped(b, dvalue, [1] * value.rank)
            return [dx, None, dvalue, None][: len(at.inputs)]
        dx = at.g
        for axis, before, after in amounts:  # each result element is a copy of one operand element
            size = at.x.shape[axis]
            order = b(Range(), _scalar(b, 0), _scalar(b, size), _scalar(b, 1))
            order = b(Pad(self.mode), order, b.dims((before, after)))
            shape = (*dx.shape[:axis], size, *dx.shape[axis + 1 :])
            dx = b(GatherGrad(axis=axis), dx, order, b.dims(shape))
        return [dx, None, None, None][: len(at.inputs)]


def _padded_axes(x: TensorType, pads: TensorType, axes: TensorType | None) -> list[int]:
    """The axes that are named, all of them by default, which the pads must fit."""
    given = known_ints(axes, "axes") if axes is not None else tuple(range(x.rank))
    assert given is not None
    count = measured_shape(pads, "pads")
    if len(count) != 2 * len(given):
        raise InferError(
            "NN0204", f"{len(given)} axes of {x} need {2 * len(given)} pads, not {len(count)}"
        )
    places = [normalize_axis(axis, x.rank) for axis in given]
    if len(set(places)) != len(places):
        raise InferError("NN0210", f"an axis is given twice: {list(given)}")
    return places


def _unpad(
    b: Builder, g: Value, x: TensorType, amounts: list[tuple[int, DimLike, DimLike]]
) -> Value:
    if not amounts:
        return g
    places, befores, afters = zip(*amounts, strict=True)
    if all((bounds(pad)[0] or -1) >= 0 or pad == 0 for pad in (*befores, *afters)):
        ends = [before + x.shape[axis] for axis, before in zip(places, befores, strict=True)]
        return b(Slice(), g, b.dims(befores), b.dims(ends), b.ints(*places))
    taken = [-pad for pad in (*befores, *afters)]
    return b(Pad(), g, b.dims(taken), None, b.ints(*places))


def _scalar(b: Builder, dim: DimLike) -> Value:
    return b(Squeeze(), b.dims((dim,)), b.ints(0))


def _total(b: Builder, x: Value) -> Value:
    return b(ReduceSum(keepdims=0), x)


@operator
class CenterCropPad(Op):
    """The middle of each axis, or zeros around it, so that it gets a size (ONNX CenterCropPad-18).

    shape: i64 sizes of the axes (of all without `axes`). What is odd is taken or added behind.
    """

    signature = "input_data, shape -> output_data"
    axes: tuple[int, ...] | None = None

    def infer(self, x: TensorType, shape: TensorType) -> TensorType:
        sizes = list(x.shape)
        for axis, size in self._targets(x, shape):
            sizes[axis] = size
        return TensorType(x.dtype, tuple(sizes))

    def _targets(self, x: TensorType, shape: TensorType) -> list[tuple[int, DimLike]]:
        """(axis, new size) of each axis that is named."""
        sizes = shape_operand(shape, "the shape")
        given = range(x.rank) if self.axes is None else self.axes
        axes = [normalize_axis(axis, x.rank) for axis in given]
        if len(set(axes)) != len(axes):
            raise InferError("NN0210", f"an axis is given twice: {axes}")
        if len(sizes) != len(axes):
            raise InferError("NN0204", f"{len(sizes)} sizes are given for {len(axes)} axes of {x}")
        for size in sizes:
            if isinstance(size, int) and size < 0:
                raise InferError("NN0205", f"a shape has no size {size}")
        return list(zip(axes, sizes, strict=True))

    def decompose(self, b: Builder, x: Value, shape: Value) -> Value:
        for axis, size in self._targets(x.type, shape.type):
            own = x.shape[axis]
            kept = minimum(own, size)
            if kept != own:
                start = floordiv(maximum(0, own - size), 2)
                x = b(Slice(), x, b.dims((start,)), b.dims((start + kept,)), b.ints(axis))
            if kept != size:
                before = floordiv(maximum(0, size - own), 2)
                x = b(Pad(), x, b.dims((before, size - kept - before)), None, b.ints(axis))
        return x


OPS: tuple[type[Op], ...] = (Slice, Pad, CenterCropPad)
