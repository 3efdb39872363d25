"""Every pass alone, and every level: on random graphs they leave valid graphs with the same
answers, in float64 and in shorter dtypes, and change nothing when they run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.equivalence.compare import STRICT, difference
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph
from nncomp.ops.grad import Grad
from nncomp.passes.base import Pass
from nncomp.passes.manager import LEVELS, O1, TRAINING, run_passes
from nncomp.passes.retype import retype
from nncomp.types import DType
from tests.random_graphs.generator import BATCH, Sample, random_graph
from tests.random_graphs.recipes import RECIPES, Recipe
from tests.random_graphs.recipes_bodies import BODY_RECIPES
from tests.random_graphs.recipes_formulas import FORMULA_RECIPES
from tests.random_graphs.recipes_image import IMAGE_RECIPES
from tests.random_graphs.recipes_layers import LAYER_RECIPES
from tests.random_graphs.recipes_matrices import MATRIX_RECIPES

PLAIN = (*RECIPES, *IMAGE_RECIPES, *MATRIX_RECIPES, *FORMULA_RECIPES)
FOLDED = (*LAYER_RECIPES, *BODY_RECIPES)  # with known weights, slices, integers, bodies
KINDS = (PLAIN, FOLDED, (*PLAIN, *FOLDED))
NARROW = (DType.F32, DType.F16, DType.BF16)
FEW, MANY = 100, 2000
PART = 20  # graphs of one test
FIRST = 10_000  # seeds other than those of the gradients' tests
MENDED = (  # on which a level once changed its own result
    *((seed, PLAIN) for seed in (297, 1255, 1511, 1671)),
    (591, KINDS[1]),
    (934, KINDS[2]),
)
COARSE = 16  # last places by which a pass may be further off than what it was given

PIPELINES: tuple[tuple[Pass, ...], ...] = tuple(dict.fromkeys((*LEVELS.values(), TRAINING)))
ALONE: tuple[tuple[Pass, ...], ...] = tuple(
    (pass_,) for pass_ in dict.fromkeys(p for passes in PIPELINES for p in passes)
)


def with_gradients(sample: Sample) -> Graph:
    """The loss and its gradients with respect to all inputs, expanded."""
    b = Builder()
    b.nodes = list(sample.graph.nodes)
    found = b.multi(Grad(), sample.loss, *sample.graph.inputs)
    named = {f"d_{v.name}": g for v, g in zip(sample.graph.inputs, found, strict=True)}
    outputs = {"loss": sample.loss, **named}
    return expand_gradients(replace(sample.graph, nodes=tuple(b.nodes), outputs=outputs))


def check(seed: int, recipes: Sequence[Recipe]) -> None:
    sample = random_graph(FIRST + seed, recipes)
    graph = with_gradients(sample) if seed % 2 else sample.graph
    feeds = [sample.arrays, sample.inputs(BATCH + 8)]
    wanted = [run(graph, feed).outputs for feed in feeds]
    for passes in (*ALONE, *PIPELINES):
        try:
            _check(graph, passes, feeds, wanted)
        except Exception as failure:
            names = ", ".join(pass_.name for pass_ in passes)
            failure.add_note(f"random graph {FIRST + seed}: {names}")
            raise


def _check(
    graph: Graph,
    passes: Sequence[Pass],
    feeds: Sequence[dict[str, np.ndarray]],
    wanted: Sequence[dict[str, np.ndarray]],
) -> None:
    result = run_passes(graph, passes, evaluate)  # which looks whether it is valid
    after = result.graph
    for record in result.log:
        assert set(record.result.counts) <= set(record.pass_.rule_names)
    assert run_passes(after, passes, evaluate).graph is after, "they change their own result"
    if after is graph:
        return
    exact = set(passes) <= set(O1)
    for feed, numbers in zip(feeds, wanted, strict=True):
        found = difference(run(after, feed).outputs, numbers, exact=exact)
        assert found.size <= STRICT, f"`{found.output}` is off by {found.size:.3g}"


def check_narrow(seed: int) -> None:
    """In a shorter dtype: no pass trips over it, and none makes the loss less exact."""
    sample = random_graph(FIRST + seed, KINDS[seed % len(KINDS)])
    dtype = NARROW[seed // len(KINDS) % len(NARROW)]
    with np.errstate(over="ignore"):  # of what hides in a mask
        graph = retype(sample.graph, {DType.F64: dtype})
    feed = {name: array.astype(dtype.numpy) for name, array in sample.arrays.items()}
    wide = {name: array.astype(np.float64) for name, array in feed.items()}
    exact = float(run(sample.graph, wide).outputs["loss"])
    room = 2 * _off(graph, feed, exact) + COARSE * dtype.epsilon
    for passes in (*ALONE, *PIPELINES):
        try:
            after = run_passes(graph, passes, evaluate).graph
            assert run_passes(after, passes, evaluate).graph is after
            assert {str(v.type.dtype) for v in after.results} == {str(dtype)}
            off = 0.0 if after is graph else _off(after, feed, exact)
            assert off <= room or np.isinf(room), f"the loss is off by {off:.3g}, not {room:.3g}"
        except Exception as failure:
            names = ", ".join(pass_.name for pass_ in passes)
            failure.add_note(f"random graph {FIRST + seed} in {dtype}: {names}")
            raise


def _off(graph: Graph, feed: dict[str, np.ndarray], exact: float) -> float:
    """How far the loss is off, as a part of it; infinitely, where numbers do not suffice."""
    with np.errstate(all="ignore"):
        loss = float(run(graph, feed).outputs["loss"])
    return abs(loss - exact) / max(1.0, abs(exact)) if np.isfinite(loss) else float("inf")


@pytest.mark.parametrize("part", range(FEW // PART))
def test_random_graphs(part: int) -> None:
    for i in range(part * PART, (part + 1) * PART):
        check(i, KINDS[i // 2 % len(KINDS)])  # every second one with its gradients


@pytest.mark.parametrize(("seed", "kind"), MENDED)
def test_random_graphs_that_were_mended(seed: int, kind: tuple[Recipe, ...]) -> None:
    check(seed, kind)


@pytest.mark.parametrize("part", range(FEW // 2 // PART))
def test_random_graphs_of_other_dtypes(part: int) -> None:
    for i in range(part * PART, (part + 1) * PART):
        check_narrow(i)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(FEW // PART, MANY // PART))
def test_many_random_graphs(part: int) -> None:
    for i in range(part * PART, (part + 1) * PART):
        check(i, KINDS[i // 2 % len(KINDS)])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(FEW // 2 // PART, MANY // 4 // PART))
def test_many_random_graphs_of_other_dtypes(part: int) -> None:
    for i in range(part * PART, (part + 1) * PART):
        check_narrow(i)
