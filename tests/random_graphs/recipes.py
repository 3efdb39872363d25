"""Recipes of random graphs: each takes a generator and adds one operator that fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nncomp.ir.graph import Value
from nncomp.ir.op import Op
from nncomp.ops import activation as act
from nncomp.ops import elementwise as ew
from nncomp.ops import elementwise_math as em
from nncomp.ops import trigonometry as tr
from nncomp.ops.comparison import Greater, Less
from nncomp.ops.conversion import Cast, Identity, Where
from nncomp.ops.indexing import Gather, GatherElements, OneHot, ScatterElements, TopK
from nncomp.ops.indexing_nd import GatherND, ScatterND
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.reduction import (
    ArgMax,
    ArgMin,
    CumSum,
    ReduceL1,
    ReduceL2,
    ReduceLogSum,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    ReduceSumSquare,
)
from nncomp.ops.shape import Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.ops.shape_joining import Concat, Split, Tile
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.types import DType
from tests.random_graphs.generator import Generator, UnfitError

Recipe = Callable[[Generator], Value | Sequence[Value]]


def smooth(*ops: Op) -> Recipe:
    """A function of one operand, smooth everywhere."""
    return lambda g: g(g.one_of(ops), g.value())


def with_kink(*ops: Op, at: Sequence[float] = (0.0,)) -> Recipe:
    """A function of one operand whose slope jumps at some places."""

    def recipe(g: Generator) -> Value:
        return g(g.one_of(ops), g.away(g.value(), *at))

    return recipe


def positive(g: Generator, x: Value) -> Value:
    """x² + ½"""
    return g(ew.Add(), g(ew.Mul(), x, x), 0.5)


def guarded(g: Generator) -> Value:
    """Functions of positive numbers."""
    x = positive(g, g.value())
    op = g.one_of((em.Log(), em.Sqrt(), em.Reciprocal(), tr.Acosh()))
    return g(op, g(ew.Add(), x, 1.0) if isinstance(op, tr.Acosh) else x)


def bounded(g: Generator) -> Value:
    """Functions that grow fast or have poles, of numbers between -1 and 1."""
    return g(g.one_of((em.Exp(), tr.Tan(), tr.Sinh(), tr.Cosh())), g(act.Tanh(), g.value()))


def inverse(g: Generator) -> Value:
    """Functions of numbers in (-1, 1), steep near the ends."""
    x = g(ew.Mul(), g(act.Tanh(), g.value()), 0.8)
    return g(g.one_of((tr.Asin(), tr.Acos(), tr.Atanh())), x)


def gated(g: Generator) -> Value:
    x = g.value()
    return g(act.SwiGLU(g.one_of((1.0, 1.7))), x, g(tr.Sin(), x))


def steps(g: Generator) -> Value:
    """Piecewise constant: the gradient is zero."""
    x = g.value()
    x = g.away(x, np.round(g.array(x) * 2) / 2)
    flat = g(g.one_of((em.Floor(), em.Ceil(), em.Round(), em.Sign())), x)
    return g(ew.Mul(), flat, x)


def binary(g: Generator) -> Value:
    x = g.value()
    y = g.broadcastable(x)
    if g.chance(0.5):
        x, y = y, x
    op = g.one_of((ew.Add(), ew.Sub(), ew.Mul(), ew.Div(), em.Pow()))
    if isinstance(op, ew.Div):
        return g(op, x, positive(g, y))
    if isinstance(op, em.Pow):
        return g(op, positive(g, x), g(act.Tanh(), y))
    return g(op, x, y)


def several(g: Generator) -> Value:
    x = g.value()
    y = g.broadcastable(x)
    op = g.one_of((ew.Max(), ew.Min(), ew.Mean(), ew.Sum()))
    if isinstance(op, ew.Max | ew.Min):
        return g(op, g.away(x, g.array(y)), y)
    return g(op, x, y, g.broadcastable(x))


def clip(g: Generator) -> Value:
    low, high = -0.7, 0.9
    x = g.away(g.value(), low, high)
    return g(ew.Clip(), x, low if g.chance(0.7) else None, high)


def prelu(g: Generator) -> Value:
    x = g.away(g.value(), 0.0)
    return g(act.PRelu(), x, g.input([1 if g.chance(0.3) else d for d in x.shape[1:]]))


def where(g: Generator) -> Value:
    x = g.value()
    y, z = g.broadcastable(x), g.broadcastable(x)
    x = g.away(x, g.array(y))
    return g(Where(), g(g.one_of((Less(), Greater())), x, y), g(em.Exp(), g(act.Tanh(), x)), z)


def cast(g: Generator) -> Value:
    """Through integers nothing flows back."""
    x = g.value()
    x = g.away(x, np.round(g.array(x)))
    whole = g(Cast(DType.F64), g(Cast(DType.I32), x))
    return g(ew.Add(), g(Identity(), x), whole)


def along_axis(g: Generator) -> Value:
    x = g.ranked(1, 2, 3, 4)
    axis = g.axis(x)
    if g.chance(0.3):
        axis -= x.rank
    if g.chance(0.3):
        op = CumSum(exclusive=g.integer(0, 1), reverse=g.integer(0, 1))
        return g(op, x, g.b.constant(axis, DType.I64))
    return g(g.one_of((act.Softmax(axis), act.LogSoftmax(axis))), x)


_SMOOTH_SUMS = (ReduceSum, ReduceMean, ReduceSumSquare, ReduceLogSumExp, ReduceProd)


def reduce(g: Generator) -> Value:
    x = g.ranked(2, 3, 4)
    kind = g.one_of((*_SMOOTH_SUMS, ReduceL1, ReduceL2, ReduceLogSum, ReduceMax, ReduceMin))
    axes = g.axes(x)
    if kind in (ReduceL2, ReduceLogSum):
        x = positive(g, x)
    if kind is ReduceProd:
        x = g(act.Tanh(), x)
    if kind is ReduceL1:
        x = g.away(x, 0.0)
    if kind in (ReduceMax, ReduceMin):
        x = g.spread(x)
    return g(kind(keepdims=g.integer(0, 1)), x, g.b.ints(*axes))


def extreme_place(g: Generator) -> Value:
    """An index out of ArgMax or ArgMin picks a row of another tensor."""
    x = g.spread(g.ranked(2))
    axis = g.axis(x, lambda d: isinstance(d, int))
    place = g(g.one_of((ArgMax, ArgMin))(axis=axis, keepdims=0), x)
    size = x.shape[axis]
    assert isinstance(size, int)
    if g.chance(0.5):
        return g(Gather(axis=0), g.input([size, 7]), place)
    ends = g.b.constant(np.array([0.2, 1.5]))
    return g(ew.Mul(), g(OneHot(), place, g.b.constant(size, DType.I64), ends), 1.5)


def top(g: Generator) -> Value:
    x = g.spread(g.ranked(2, 3))
    axis = g.axis(x, lambda d: isinstance(d, int) and d > 1)
    size = x.shape[axis]
    assert isinstance(size, int)
    op = TopK(axis=axis, largest=g.integer(0, 1))
    return g.b.multi(op, x, g.b.ints(g.integer(1, size - 1)))[0]


def transpose(g: Generator) -> Value:
    x = g.ranked(2, 3, 4)
    return g(Transpose(tuple(g.rng.permutation(x.rank).tolist())), x)


def reshape(g: Generator) -> Value:
    """Joins two axes, or splits one, or flattens."""
    x = g.ranked(2, 3, 4)
    way = g.integer(0, 2)
    if way == 0:
        return g(Flatten(g.integer(0, x.rank)), x)
    shape = list(x.shape)
    if way == 1:
        axis = g.integer(0, x.rank - 2)
        shape[axis : axis + 2] = [shape[axis] * shape[axis + 1]]
    else:
        axis = g.axis(x, lambda d: d in (4, 6, 8))
        size = shape[axis]
        assert isinstance(size, int)
        shape[axis : axis + 1] = [2, size // 2] if g.chance(0.5) else [size // 2, 2]
    return g(Reshape(), x, g.b.dims(shape))


def unit_axes(g: Generator) -> Value:
    x = g.value()
    ones = [a for a, d in enumerate(x.shape) if d == 1]
    if ones and g.chance(0.6):
        return g(Squeeze(), x, g.b.ints(g.one_of(ones)))
    if x.rank > 3:
        raise UnfitError
    return g(Unsqueeze(), x, g.b.ints(g.integer(0, x.rank)))


def widen(g: Generator) -> Value:
    x = g.ranked(1, 2, 3)
    ones = [a for a, d in enumerate(x.shape) if d == 1]
    if ones and g.chance(0.7):
        shape = list(x.shape)
        shape[g.one_of(ones)] = g.one_of((7, g.batch))
        return g(Expand(), x, g.b.dims(shape))
    if g.chance(0.5):
        return g(Expand(), x, g.b.dims((7, *x.shape)))
    return g(Tile(), x, g.b.ints(*(g.integer(1, 2) for _ in x.shape)))


def cut(g: Generator) -> Value:
    x = g.ranked(1, 2, 3, 4)
    axis = g.axis(x, lambda d: isinstance(d, int) and d > 1)
    size = x.shape[axis]
    assert isinstance(size, int)
    step = g.one_of((1, 1, 2, -1, -2))
    first = g.integer(0, size - 2)
    ends = (first, g.integer(first + 1, size)) if step > 0 else (size - 1, first)
    start, end = (g.b.ints(e) for e in ends)
    return g(Slice(), x, start, end, g.b.ints(axis), g.b.ints(step))


def pad(g: Generator) -> Value:
    x = g.ranked(2, 3, 4)
    axis = g.axis(x, lambda d: isinstance(d, int) and d > 2)
    mode = g.one_of(("constant", "reflect", "edge"))
    pads = [0] * (2 * x.rank)
    pads[axis], pads[axis + x.rank] = g.integer(0, 2), g.integer(0, 2)
    if mode == "constant" and g.chance(0.5):
        pads[axis] = -1
    return g(Pad(mode), x, g.b.ints(*pads))


def join(g: Generator) -> Value:
    x = g.ranked(1, 2, 3)
    axis = g.axis(x)
    other = list(x.shape)
    if isinstance(other[axis], int):
        other[axis] = 7
    return g(Concat(axis=axis), x, g.input(other), x)


def split(g: Generator) -> Sequence[Value]:
    x = g.ranked(1, 2, 3, 4)
    axis = g.axis(x, lambda d: isinstance(d, int) and d > 1)
    size = x.shape[axis]
    assert isinstance(size, int)
    first = g.integer(1, size - 1)
    return g.b.multi(Split(axis=axis), x, g.b.ints(first, size - first))


def look_up(g: Generator) -> Value:
    """Rows by constant indices, repeated and negative ones among them."""
    x = g.ranked(2, 3)
    axis = g.axis(x, lambda d: isinstance(d, int))
    size = x.shape[axis]
    assert isinstance(size, int)
    if g.chance(0.6) or not all(isinstance(d, int) for d in x.shape):
        shape = g.one_of(((), (3,), (2, 3)))
        return g(Gather(axis), x, g.b.constant(g.rng.integers(-size, size, shape)))
    shape = x.type.static_shape
    places = g.b.constant(g.rng.integers(-size, size, shape))
    if g.chance(0.5):
        return g(GatherElements(axis), x, places)
    return g(ScatterElements(axis, "add"), x, places, g.input(shape))


def look_up_tuples(g: Generator) -> Value:
    """Slices by constant tuples of indices; of a symbolic axis the first and the last."""
    x = g.ranked(2, 3)
    named = g.integer(1, 2)
    sizes = [d if isinstance(d, int) else 1 for d in x.shape[:named]]
    shape = g.one_of(((4,), (2, 3)))
    columns = [g.rng.integers(-size, size, shape) for size in sizes]
    places = g.b.constant(np.stack(columns, axis=-1))
    if g.chance(0.5):
        return g(GatherND(), x, places)
    return g(ScatterND("add"), x, places, g.input((*shape, *x.shape[named:])))


def product(g: Generator) -> Value:
    x = g.ranked(2, 3, 4)
    inner = x.shape[-1]
    if g.chance(0.3) and x.rank > 2:
        return g(MatMul(), x, g.input((*x.shape[:-2], inner, 7)))
    if g.chance(0.2):
        return g(MatMul(), x, g.input((inner,)))
    return g(MatMul(), x, g.input((inner, 7)))


def gemm(g: Generator) -> Value:
    x = g.ranked(2)
    a, b = g.integer(0, 1), g.integer(0, 1)
    rows, inner = x.shape[::-1] if a else x.shape
    w = g.input((7, inner) if b else (inner, 7))
    bias = g.input(g.one_of(((7,), (1, 7), (), (rows, 1)))) if g.chance(0.6) else None
    op = Gemm(alpha=g.one_of((1.0, 0.5)), beta=g.one_of((1.0, 2.0)), transA=a, transB=b)
    return g(op, x, w, bias)


RECIPES: tuple[Recipe, ...] = (
    smooth(tr.Sin(), tr.Cos(), em.Erf(), act.Tanh(), act.Sigmoid(), ew.Neg(), act.Softplus()),
    smooth(tr.Atan(), tr.Asinh(), act.Swish(1.3), act.Celu(0.7)),
    smooth(act.Gelu(), act.Gelu("tanh"), act.Mish()),
    with_kink(act.Relu(), em.Abs(), act.LeakyRelu(0.2), act.Elu(0.7), act.Selu()),
    with_kink(act.ThresholdedRelu(0.4), at=(0.4,)),
    with_kink(act.Shrink(0.3, 0.6), at=(-0.6, 0.6)),
    with_kink(act.Softsign()),  # of its second derivative
    with_kink(act.HardSigmoid(), at=(-2.5, 2.5)),
    with_kink(act.HardSwish(), at=(-3.0, 3.0)),
    *(guarded, bounded, inverse, gated, steps, binary, binary, several, clip, prelu, where, cast),
    *(along_axis, reduce, reduce, extreme_place, top),
    *(transpose, reshape, unit_axes, widen, cut, pad, join, split, look_up, look_up_tuples),
    *(product, gemm),
)
