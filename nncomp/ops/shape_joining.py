"""Operators that join tensors, part them, and repeat them."""

from __future__ import annotations

import itertools

from nncomp.dims import DimLike, equal
from nncomp.ir.op import Gradients, InferError, NoGradientError, Op, Vjp, operator
from nncomp.ops.elements import typed
from nncomp.ops.filling import measured_shape
from nncomp.ops.gradient import zeros_like
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import normalize_axis, require_equal, same_dtype
from nncomp.ops.shape import reshaped
from nncomp.types import STRINGS, TensorType


def _other_axis(left: TensorType, right: TensorType) -> str | None:
    """Along which axis tensors fit that differ in one only."""
    pairs = enumerate(zip(left.shape, right.shape, strict=True))
    differing = [axis for axis, (a, b) in pairs if equal(a, b) is not True]
    return f"they fit along another: `axis={differing[0]}`" if len(differing) == 1 else None


@operator
class Concat(Op):
    """The operands one after the other along an axis (ONNX Concat-13)."""

    signature = "inputs* -> concat_result"
    takes = STRINGS
    axis: int

    def infer(self, first: TensorType, *others: TensorType) -> TensorType:
        same_dtype(first, *others)
        axis = normalize_axis(self.axis, first.rank)
        for t in others:
            if t.rank != first.rank:
                raise InferError("NN0204", f"cannot join {first} and {t}: their ranks differ")
            for place, (mine, theirs) in enumerate(zip(first.shape, t.shape, strict=True)):
                if place == axis:
                    continue
                facts = f"cannot join {first} and {t} along axis {axis}"
                try:
                    require_equal(
                        mine, theirs, f"{facts}: size {mine} of axis {place} is not {theirs}"
                    )
                except InferError as failure:
                    failure.help = _other_axis(first, t) or failure.help
                    raise
        types = (first, *others)
        length: DimLike = 0
        for t in types:
            length = length + t.shape[axis]
        contents = [t.elements for t in types]
        known = [e for e in contents if e is not None]
        elements = tuple(itertools.chain(*known)) if len(known) == len(contents) else None
        shape = (*first.shape[:axis], length, *first.shape[axis + 1 :])
        return typed(first.dtype, shape, elements)

    def vjp(self, at: Vjp) -> Gradients:
        if len(at.inputs) == 1:
            return (at.g,)
        sizes = [x.shape[self.axis] for x in at.inputs if x is not None]
        return at.b.multi(Split(axis=self.axis), at.g, at.b.dims(sizes))


MAX_PARTS = 100_000  # as many as a list has items


@operator
class Split(Op):
    """Parts along an axis (ONNX Split-18): of the sizes in `split`, or num_outputs of equal size,
    the last one smaller if need be."""

    signature = "input, split? -> outputs*"
    takes = STRINGS
    open_sizes = True
    axis: int = 0
    num_outputs: int | None = None

    def infer(self, x: TensorType, split: TensorType | None = None) -> tuple[TensorType, ...]:
        axis = normalize_axis(self.axis, x.rank)
        length = x.shape[axis]
        if (split is None) == (self.num_outputs is None):
            raise InferError("NN0208", "Split takes either sizes or num_outputs")
        if split is not None:
            sizes = measured_shape(split, "the sizes of the parts")
            total: DimLike = 0
            for size in sizes:
                total = total + size
            if split.elements is not None:
                message = f"cannot split axis {axis} of {x} into sizes {list(sizes)}"
                require_equal(total, length, message)
        else:
            assert self.num_outputs is not None
            sizes = _even_parts(length, self.num_outputs)
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        return tuple(
            typed(x.dtype, (*before, size, *after), elements)
            for size, elements in zip(sizes, _parts(x, sizes), strict=True)
        )

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        parts = [
            dy if dy is not None else zeros_like(b, y)
            for y, dy in zip(at.outputs, at.dy, strict=True)
        ]
        return [b(Concat(axis=self.axis), *parts), None][: len(at.inputs)]


def _even_parts(length: DimLike, count: int) -> tuple[DimLike, ...]:
    if count < 1:
        raise InferError("NN0208", f"num_outputs is at least 1, not {count}")
    if count > MAX_PARTS:
        raise InferError("NN0009", f"{count:,} parts are too many: a tensor has {MAX_PARTS:,}")
    size = -(-length // count)
    last = length - size * (count - 1)
    if isinstance(last, int) and last < 0:
        raise InferError("NN0205", f"{length} elements do not part into {count} of {size}")
    return (*([size] * (count - 1)), last)


def _parts(x: TensorType, sizes: tuple[DimLike, ...]) -> list[tuple[DimLike, ...] | None]:
    """The contents of each part of a vector, where they are known."""
    ints = [size for size in sizes if isinstance(size, int)]
    if x.elements is None or len(ints) != len(sizes):
        return [None] * len(sizes)
    ends = list(itertools.accumulate(ints, initial=0))
    return [x.elements[start:end] for start, end in itertools.pairwise(ends)]


@operator
class Tile(Op):
    """The operand repeated along each axis (ONNX Tile-13)."""

    signature = "input, repeats -> output"
    takes = STRINGS
    open_sizes = True

    def infer(self, x: TensorType, repeats: TensorType) -> TensorType:
        counts = measured_shape(repeats, "repeats")
        if len(counts) != x.rank:
            raise InferError("NN0204", f"{len(counts)} repeats do not fit {x}")
        if repeats.elements is None:  # a run measures the results' sizes, not the repeats
            return TensorType(x.dtype, counts)
        shape = tuple(dim * count for dim, count in zip(x.shape, counts, strict=True))
        times = counts[0] if counts else 1
        repeated = x.elements is not None and isinstance(times, int)
        elements = (x.elements or ()) * times if repeated and isinstance(times, int) else None
        return typed(x.dtype, shape, elements)

    def vjp(self, at: Vjp) -> Gradients:
        """The axes part into repeats × size, and the repeats are summed."""
        b, x, repeats = at.b, at.x, at.inputs[1]
        assert repeats is not None
        if repeats.type.elements is None:
            raise NoGradientError("how often a Tile repeats must be known as dims")
        counts = repeats.type.elements
        if not counts:
            return at.g, None
        parted = list(itertools.chain(*zip(counts, x.shape, strict=True)))
        g = reshaped(b, at.g, parted)
        return b(ReduceSum(keepdims=0), g, b.ints(*range(0, 2 * x.rank, 2))), None


OPS: tuple[type[Op], ...] = (Concat, Split, Tile)
