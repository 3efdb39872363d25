"""Recipes of layers with known weights, and of slices that belong together: what passes fold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np

from nncomp.ir.graph import Value
from nncomp.ops import activation as act
from nncomp.ops import elementwise as ew
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conversion import Cast
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.types import DType
from tests.random_graphs.generator import Generator, UnfitError
from tests.random_graphs.recipes import Recipe
from tests.random_graphs.recipes_formulas import gate, weights
from tests.random_graphs.recipes_image import image, known, window


def channel_numbers(g: Generator, x: Value) -> Value:
    """One for each channel of x, not near zero, or one for all."""
    shape = () if g.chance(0.2) else (known(x.shape[1]), *(1,) * (x.rank - 2))
    return g.b.constant(g.rng.uniform(0.5, 1.5, shape) * g.rng.choice((-1.0, 1.0), shape))


def affine(g: Generator, x: Value) -> Value:
    """a · x + b for each channel, in one of its spellings."""
    if g.chance(0.5):
        channels = known(x.shape[1])
        scale, bias, mean = (weights(g, channels) for _ in range(3))
        bias = g.b.constant(np.zeros(channels)) if g.chance(0.3) else bias
        mean = g.b.constant(np.zeros(channels)) if g.chance(0.3) else mean
        var = g.b.constant(g.rng.uniform(0.5, 2.0, channels))
        return g.b.multi(BatchNormalization(), x, scale, bias, mean, var)[0]
    op = g.one_of((ew.Mul(), ew.Add(), ew.Sub(), ew.Div()))
    given = channel_numbers(g, x)
    return g(op, given, x) if g.chance(0.3) and not isinstance(op, ew.Div) else g(op, x, given)


def linear(g: Generator, x: Value) -> Value:
    """A convolution or a product with known weights, with a bias or without."""
    channels = known(x.shape[1])
    bias = g.chance(0.5)
    if x.rank == 2:
        w, b = weights(g, channels, 6), weights(g, 6)
        if g.chance(0.5):
            y = g(MatMul(), x, w)
            return g(ew.Add(), y, b) if bias else y
        return g(Gemm(alpha=g.one_of((1.0, 0.5))), x, w, b if bias else None)
    options = window(g, x)
    if g.chance(0.2):
        w = weights(g, channels, 6, *options["kernel_shape"])
        kernel = {key: options[key] for key in ("kernel_shape", "strides")}
        return g(ConvTranspose(**kernel), x, w, weights(g, 6) if bias else None)
    if g.chance(0.2):
        ends = (0, 0, *(1,) * (x.rank - 2))
        x = g(Pad(), x, g.b.ints(*ends, *ends))
    group = g.one_of([d for d in (1, 2, channels) if channels % d == 0])
    w = weights(g, 2 * group, channels // group, *options["kernel_shape"])
    return g(Conv(group=group, **options), x, w, weights(g, 2 * group) if bias else None)


def channels_of(g: Generator) -> Value:
    return image(g, 3, 4) if g.chance(0.8) else g.input((g.batch, g.one_of((4, 6))))


def layers(g: Generator) -> Sequence[Value]:
    """Some in a row, of which something within may be read, too."""
    x = channels_of(g)
    made = []
    for _ in range(g.integer(2, 4)):
        x = g.one_of((affine, affine, linear))(g, x)
        x = g(act.Relu(), x) if g.chance(0.2) else x
        made.append(x)
    return [x, g.one_of(made)] if g.chance(0.3) else [x]


def several_layers_of_one(g: Generator) -> Sequence[Value]:
    """What begins a block that is normalised first, with its shortcut."""
    x = affine(g, channels_of(g))
    x = g(act.Relu(), x) if g.chance(0.3) else x
    made = [linear(g, x) for _ in range(g.integer(2, 3))]
    return [*made, x] if g.chance(0.2) else made


def taken(g: Generator, x: Value, axis: int, start: int, end: int, step: int = 1) -> Value:
    return g(Slice(), x, g.b.ints(start), g.b.ints(end), g.b.ints(axis), g.b.ints(step))


def parted(g: Generator) -> Value | Sequence[Value]:
    """Slices that are a tensor together; mostly, since one may be longer than that."""
    x = g.ranked(1, 2, 3, 4)
    axis = g.axis(x, lambda d: isinstance(d, int) and d > 1)
    size = known(x.shape[axis])
    places = sorted(g.rng.permutation(np.arange(1, size))[: g.integer(1, 2)].tolist())
    more = g.integer(0, 1) if g.chance(0.2) else 0
    parts = [
        taken(g, x, axis, start, min(end + more, size))
        for start, end in pairwise((0, *places, size))
    ]
    if g.chance(0.3):
        return parts
    return g(Concat(axis), *(parts[i] for i in g.rng.permutation(len(parts))))


def patches(g: Generator) -> Value:
    """Every second row and column apart, beside each other in some order."""
    x = g.ranked(3, 4)
    even = [a for a, d in enumerate(x.shape) if isinstance(d, int) and d % 2 == 0]
    if not even or x.rank == len(even):
        raise UnfitError
    axes = [int(a) for a in g.rng.permutation(even)[: g.integer(1, 2)]]
    along = g.one_of([a for a in range(x.rank) if a not in axes])
    parts = []
    for starts in product((0, 1), repeat=len(axes)):
        part = x
        for axis, start in zip(axes, starts, strict=True):
            part = taken(g, part, axis, start, 2**62, 2)
        parts.append(part)
    order = g.rng.permutation(len(parts)) if g.chance(0.3) else range(len(parts))
    return g(Concat(along), *(parts[i] for i in order))


def whole_numbers(g: Generator) -> Value:
    """Formulas of integers, which divide otherwise; through them nothing flows back."""
    x = g.value()
    x = g.away(x, np.round(g.array(x)))
    n = g(Cast(g.one_of((DType.I32, DType.I64))), x)
    for _ in range(g.integer(1, 3)):
        op = g.one_of((ew.Mul(), ew.Add(), ew.Sub(), ew.Div(), ew.Max()))
        n = g(op, n, float(g.integer(1, 3)))
    if g.chance(0.5):
        n = g(ew.Div(), g(ew.Mul(), n, g(ew.Clip(), g(ew.Add(), n, 3.0), 0.0, 6.0)), 6.0)
    return g(ew.Add(), x, g(Cast(DType.F64), n))


LAYER_RECIPES: tuple[Recipe, ...] = (
    *(layers, several_layers_of_one, parted, patches, whole_numbers, gate),
)
