"""Recipes of formulas that passes recognise, mostly as they stand in exported models."""

from __future__ import annotations

import math

import numpy as np

from nncomp.ir.graph import Value
from nncomp.ops import activation as act
from nncomp.ops import elementwise as ew
from nncomp.ops import elementwise_math as math_ops
from nncomp.ops.forms import reduce_mean, reshape, transpose
from nncomp.ops.linear import MatMul
from tests.random_graphs.generator import Generator
from tests.random_graphs.recipes import Recipe


def gelu(g: Generator) -> Value:
    x = g.value()
    if g.chance(0.5):
        bent = g(math_ops.Erf(), g(ew.Div(), x, math.sqrt(2)))
    else:
        cube = g(ew.Mul(), g(math_ops.Pow(), x, 3.0), 0.044715)
        bent = g(act.Tanh(), g(ew.Mul(), g(ew.Add(), x, cube), math.sqrt(2 / math.pi)))
    factors = [x, g(ew.Add(), bent, 1.0), g.b.constant(0.5, x.type.dtype)]
    first, second, third = (factors[i] for i in g.rng.permutation(3))
    return g(ew.Mul(), g(ew.Mul(), first, second), third)


def gate(g: Generator) -> Value:
    x = g.value()
    if g.chance(0.5):
        soft = g(math_ops.Log(), g(ew.Add(), g(math_ops.Exp(), g(act.Tanh(), x)), 1.0))
        return g(ew.Mul(), g(act.Tanh(), soft), soft if g.chance(0.5) else x)
    x = g.away(x, -3.0, 3.0)
    return g(ew.Div(), g(ew.Mul(), x, g(ew.Clip(), g(ew.Add(), x, 3.0), 0.0, 6.0)), 6.0)


def normal(g: Generator) -> Value:
    """By mean and variance, or by the root mean square; scaled and shifted, or not."""
    x = g.ranked(2, 3, 4)
    axes = list(range(x.rank - g.integer(1, 2), x.rank))
    if g.chance(0.6):
        x = g(ew.Sub(), x, reduce_mean(g.b, x, axes, keep=True))
    square = g(ew.Mul(), x, x) if g.chance(0.5) else g(math_ops.Pow(), x, 2.0)
    inner = g(ew.Add(), reduce_mean(g.b, square, axes, keep=True), 0.1)
    root = g(math_ops.Sqrt(), inner)
    y = g(ew.Mul(), x, g(math_ops.Reciprocal(), root)) if g.chance(0.5) else g(ew.Div(), x, root)
    size = x.shape[-1]
    for op in (ew.Mul(), ew.Add()):
        if isinstance(size, int) and g.chance(0.7):
            y = g(op, y, g.b.constant(g.rng.standard_normal(size)))
    return y


def weights(g: Generator, *shape: int) -> Value:
    return g.b.constant(g.rng.standard_normal(shape) / math.sqrt(shape[0]))


def projections(g: Generator) -> list[Value]:
    """Several products of one tensor, with biases or without."""
    x = g.ranked(2, 3)
    inner = x.shape[-1]
    if not isinstance(inner, int):
        x, inner = g.input((*x.shape[:-1], 4)), 4
    made = []
    for _ in range(g.integer(1, 3)):
        columns = g.one_of((3, 6))
        y = g(MatMul(), x, weights(g, inner, columns))
        made.append(g(ew.Add(), y, weights(g, columns)) if g.chance(0.6) else y)
    return made


def attention(g: Generator) -> Value:
    """Of two heads, cut from rows or given apart; with a mask or without."""
    x = g.input(g.shape(3))
    batch, length, _ = x.shape
    if not isinstance(x.shape[2], int):
        x = g.input((batch, length, 6))
    inner, heads, size = x.shape[2], 2, g.one_of((2, 3))
    assert isinstance(inner, int)
    width = heads * size
    rows = [g(MatMul(), x, weights(g, inner, width)) for _ in range(3)]
    apart = [reshape(g.b, y, batch, length, heads, size) for y in rows]
    q, k, v = (transpose(g.b, y, 0, 2, 1, 3) for y in apart)
    scores = g(MatMul(), g(ew.Mul(), q, size**-0.5), transpose(g.b, k, 0, 1, 3, 2))
    if g.chance(0.5) and isinstance(length, int):
        mask = np.where(np.tri(length), 0.0, -1e9).reshape(1, 1, length, length)
        scores = g(ew.Add(), scores, g.b.constant(mask))
    y = g(MatMul(), g(act.Softmax(), scores), v)
    if g.chance(0.3):
        return y
    return reshape(g.b, transpose(g.b, y, 0, 2, 1, 3), batch, length, width)


FORMULA_RECIPES: tuple[Recipe, ...] = (gelu, gate, normal, projections, attention)
