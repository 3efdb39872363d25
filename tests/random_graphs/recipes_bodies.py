"""Recipes of branches, loops and scans."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops import activation as act
from nncomp.ops import elementwise as ew
from nncomp.ops import trigonometry as tr
from nncomp.ops.comparison import Less
from nncomp.ops.control_building import BACKWARD, FORWARD, Values, add_if, add_loop, add_recurrence
from nncomp.ops.conversion import Cast
from nncomp.ops.linear import MatMul
from nncomp.ops.reduction import ReduceSum
from nncomp.types import DType
from tests.random_graphs.generator import Generator, UnfitError
from tests.random_graphs.recipes import Recipe
from tests.random_graphs.recipes_formulas import weights


def branch(g: Generator) -> Value:
    """On what a constant says, or a sum far from the limit."""
    x = g.value()
    y = g.broadcastable(x)
    if g.chance(0.5):
        condition = g.b.constant(g.chance(0.5), DType.BOOL)
    else:
        limit = float(g.array(x).sum()) + g.one_of((-1.0, 1.0))
        condition = g(Less(), g(ReduceSum(keepdims=0), x), limit)
    one, other = Builder(), Builder()
    pair = one(act.Tanh(), one(ew.Mul(), x, 0.7)), other(ew.Mul(), other(tr.Sin(), x), 1.0)
    if y.shape == x.shape:
        pair = pair[0], other(ew.Add(), pair[1], y)
    return add_if(g.b, condition, (one.nodes, other.nodes), [pair])[0]


def loop(g: Generator) -> Sequence[Value]:
    """A few runs or none; of two values that are carried one may be idle."""
    x, y = g.value(), g.value()
    states = [x, y] if g.chance(0.5) else [x]
    runs = g.b.constant(g.integer(0, 3), DType.I64)

    def step(b: Builder, number: Value, states: Values) -> Values:
        moved = b(ew.Add(), states[0], b(Cast(DType.F64), number))
        return [b(act.Tanh(), moved), *states[1:]]

    return add_loop(g.b, runs, step, states)


def recurrence(g: Generator) -> Sequence[Value]:
    """Over an axis of a tensor: a cell with known weights, and numbers that only slices decide."""
    x = g.ranked(2, 3)
    axis = g.integer(0, x.rank - 2)
    size = x.shape[-1]
    if not isinstance(size, int):
        raise UnfitError
    first = g.input([d for a, d in enumerate(x.shape) if a != axis])
    w = weights(g, size, size) if first.rank > 1 and g.chance(0.6) else None
    gated, twice = g.chance(0.5), g.chance(0.5)

    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h, part = states[0], slices[0]
        part = b(act.Sigmoid(), part) if gated else part
        moved = b(ew.Add(), b(MatMul(), h, w) if w else b(ew.Mul(), h, 0.5), part)
        after = b(act.Tanh(), moved)
        idle = [b(ew.Add(), s, 1.0) for s in states[1:]]
        return [after, *idle], [after, b(ew.Mul(), part, 2.0)]

    firsts = [first, g.input(())] if twice else [first]
    direction = g.one_of((FORWARD, FORWARD, BACKWARD))
    found = add_recurrence(g.b, step, firsts, [x], axis=axis, direction=direction)
    stacks = found[len(firsts) :]
    return [g.one_of((found[0], stacks[0]))] if g.chance(0.5) else [found[0], *stacks]


BODY_RECIPES: tuple[Recipe, ...] = (branch, loop, recurrence)
