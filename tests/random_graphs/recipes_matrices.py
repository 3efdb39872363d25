"""Recipes of operators on matrices and along axes that stand for themselves."""

from __future__ import annotations

import numpy as np

from nncomp.ir.graph import Value
from nncomp.ops import activation as act
from nncomp.ops import elementwise as ew
from nncomp.ops.conversion import CastLike
from nncomp.ops.loss import NegativeLogLikelihoodLoss
from nncomp.ops.matrices import Det, Trilu
from nncomp.ops.reduction import CumProd
from nncomp.ops.shape_slicing import CenterCropPad
from nncomp.types import DType
from tests.random_graphs.generator import Generator
from tests.random_graphs.recipes import Recipe


def triangle(g: Generator) -> Value:
    x = g.ranked(2, 3, 4)
    k = g.b.constant(g.integer(-2, 2), DType.I64) if g.chance(0.6) else None
    return g(Trilu(upper=g.integer(0, 1)), x, k)


def determinant(g: Generator) -> Value:
    """Of matrices far from singular."""
    size = g.integer(1, 4)
    x = g.input((*g.shape(1), size, size))
    wide = g.b.constant(2.5 * np.eye(size))
    return g(Det(), g(ew.Add(), g(ew.Mul(), g(act.Tanh(), x), 0.4), wide))


def running_product(g: Generator) -> Value:
    x = g.ranked(1, 2, 3)
    op = CumProd(exclusive=g.integer(0, 1), reverse=g.integer(0, 1))
    return g(op, g(act.Tanh(), x), g.b.constant(g.axis(x), DType.I64))


def middle(g: Generator) -> Value:
    x = g.ranked(2, 3, 4)
    axis = g.axis(x, lambda d: isinstance(d, int))
    return g(CenterCropPad((axis,)), x, g.b.ints(g.integer(1, 6)))


def likelihood(g: Generator) -> Value:
    rows, classes = g.integer(2, 5), 7
    labels = g.b.constant(g.rng.integers(0, classes, rows))
    op = NegativeLogLikelihoodLoss(g.one_of(("mean", "sum", "none")))
    return g(op, g(act.Tanh(), g.input((rows, classes))), labels)


def alike(g: Generator) -> Value:
    x = g.value()
    return g(CastLike(), x, g.input(()))


MATRIX_RECIPES: tuple[Recipe, ...] = (
    *(triangle, determinant, running_product, middle, likelihood, alike),
)
