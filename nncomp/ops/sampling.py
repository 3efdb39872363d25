"""Reading images between their pixels: what operators that sample at computed places share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.dims import DimLike, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.comparison import And, Greater, GreaterOrEqual, LessOrEqual
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.elementwise_math import Floor
from nncomp.ops.forms import arange, reshape, scalar, transpose
from nncomp.ops.gradient import dim_as
from nncomp.ops.indexing import Gather
from nncomp.types import DType

Taps = Sequence["Tap"]


@dataclass(frozen=True, slots=True)
class Tap:
    """The pixels along one axis that count with a weight.

    place: a whole number, in floating point, within the axis
    """

    place: Value
    weight: Value

    def reshaped(self, b: Builder, *dims: DimLike) -> Tap:
        return Tap(reshape(b, self.place, *dims), reshape(b, self.weight, *dims))


def size_of(b: Builder, size: DimLike, like: Value) -> Value:
    """A size as a number of the dtype of `like`."""
    return dim_as(b, size, like.type.dtype)


def clamp(b: Builder, x: Value, low: Value | float, high: Value | float) -> Value:
    """x between low and high; what is no number becomes `low`, so that it can be an index."""
    dtype = x.type.dtype
    low = low if isinstance(low, Value) else b.constant(low, dtype)
    high = high if isinstance(high, Value) else b.constant(high, dtype)
    x = b(Where(), b(Greater(), x, low), x, low)
    return b(Where(), b(Greater(), x, high), high, x)


def within(b: Builder, x: Value, low: Value | float, high: Value | float) -> Value:
    """1 where low ≤ x ≤ high, else 0, in x's dtype."""
    inside = b(And(), b(GreaterOrEqual(), x, low), b(LessOrEqual(), x, high))
    return b(Cast(x.type.dtype), inside)


def add_up(b: Builder, terms: Sequence[Value]) -> Value:
    """The sum of one or more tensors."""
    total = terms[0]
    for term in terms[1:]:
        total = b(Add(), total, term)
    return total


def linear_taps(b: Builder, x: Value, size: DimLike, *, zeros: bool) -> Taps:
    """The two neighbours of each place along an axis.

    zeros: whether pixels beyond the axis are 0; else they are those at its end
    """
    floor = b(Floor(), x)
    part = b(Sub(), x, floor)
    weights = (b(Sub(), 1.0, part), part)
    return [
        tap(b, b(Add(), floor, float(i)), weight, size, zeros=zeros)
        for i, weight in enumerate(weights)
    ]


def tap(b: Builder, place: Value, weight: Value, size: DimLike, *, zeros: bool) -> Tap:
    """A tap brought within the axis; `zeros` as for `linear_taps`."""
    last = b(Sub(), size_of(b, size, place), 1.0)
    if zeros:
        weight = b(Mul(), weight, within(b, place, 0.0, last))
    return Tap(clamp(b, place, 0.0, last), weight)


class Pixels:
    """An image batch as rows of channels, one for each pixel.

    x: [N, C, S…]
    """

    def __init__(self, b: Builder, x: Value) -> None:
        self.b = b
        self.batch, self.channels, self.sizes = x.shape[0], x.shape[1], x.shape[2:]
        rows = transpose(b, x, 0, *range(2, x.rank), 1)
        self.rows = reshape(b, rows, self.batch * product(self.sizes), self.channels)

    def own_batch(self, rank: int) -> Value:
        """The number of each batch element, as i64 [N, 1, …] of that rank."""
        return reshape(self.b, arange(self.b, self.batch), self.batch, *(1,) * (rank - 1))

    def read(self, batch: Value, places: Sequence[Value]) -> Value:
        """[P…, C]: the channels of the pixels there.

        batch: i64, broadcasts with the places; places: along each spatial axis, [P…], whole
        """
        b, index = self.b, batch
        for place, size in zip(places, self.sizes, strict=True):
            index = b(Add(), b(Mul(), index, scalar(b, size)), b(Cast(DType.I64), place))
        return b(Gather(axis=0), self.rows, index)

    def corners(self, batch: Value, taps: Sequence[Taps]) -> list[Value]:
        """[P…, C] for each choice of a tap along every axis: weight times pixel."""
        b, found = self.b, []
        for choice in itertools.product(*taps):
            weight = choice[0].weight
            for other in choice[1:]:
                weight = b(Mul(), weight, other.weight)
            pixel = self.read(batch, [t.place for t in choice])
            found.append(b(Mul(), pixel, reshape(b, weight, *weight.shape, 1)))
        return found

    def interpolate(self, batch: Value, taps: Sequence[Taps]) -> Value:
        """[P…, C]: the sum of all taps."""
        return add_up(self.b, self.corners(batch, taps))
