"""Each family of gradient rules over random shapes, broadcasts, axes and attributes.

The recipes of the random graphs say what fits; hypothesis chooses the numbers that they draw from.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.ir.graph import Value
from tests.ops.checks import check_slopes, check_transpose
from tests.ops.sample import Case
from tests.random_graphs.generator import BATCH, Generator
from tests.random_graphs.recipes import RECIPES, Recipe
from tests.random_graphs.recipes_image import IMAGE_RECIPES
from tests.random_graphs.recipes_matrices import MATRIX_RECIPES

FAMILIES = {
    f"{number}-{recipe.__qualname__.split('.')[0]}": recipe
    for number, recipe in enumerate(dict.fromkeys((*RECIPES, *IMAGE_RECIPES, *MATRIX_RECIPES)))
}
ATTEMPTS = 40


def made(recipe: Recipe, seed: int) -> tuple[Case, list[Value], list[Value]]:
    """One operator of the family as a case, its results, and what it is differentiated by."""
    for attempt in range(ATTEMPTS):
        g = Generator([seed, attempt])
        for rank in (g.integer(1, 4), 3):
            g.input(g.shape(rank))
        before = len(g.pool)
        if not g.grow(recipe):
            continue
        results = [v for v in g.pool[before:] if v.node is not None]
        read = {v for node in g.b.nodes for v in node.operands}
        wrt = [v for v in g.inputs if v in read]
        arrays = {v.name: g.arrays[v] for v in g.inputs}
        symbol, node = g.batch.symbol, results[-1].node
        assert symbol is not None
        assert node is not None
        return Case(g.b, tuple(wrt), node, g.inputs, arrays, {symbol: BATCH}), results, wrt
    raise AssertionError("the recipe never fits")


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32))
def test_first_order_and_forward_mode(family: str, seed: int) -> None:
    c, results, wrt = made(FAMILIES[family], seed)
    check_transpose(c, results, wrt, family)
    check_slopes(c, results, wrt, family, second=False)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_second_order(family: str, seed: int) -> None:
    c, results, wrt = made(FAMILIES[family], seed)
    check_slopes(c, results, wrt, family)
