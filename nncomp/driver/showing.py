"""What a page or a picture is of: a graph, and what its passes made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.compiling import data_inputs, entry_of, section_of
from nncomp.driver.differentiating import PASSES, find_request
from nncomp.equivalence.sizes import symbols_of
from nncomp.errors import error
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.passes.manager import OptimizeResult, optimize_step, run_passes
from nncomp.passes.selection import Plan, plan_of
from nncomp.types import TensorType


@dataclass(frozen=True)
class Shown:
    """A graph and what the passes made of it. sizes: of its symbolic dims, for what it costs."""

    graph: Graph
    result: OptimizeResult | None
    sizes: Mapping[str, int]


def inference_of(
    program: Program,
    *,
    entry: str | None = None,
    level: int | Plan = 2,
    batch: int = 1,
    sizes: Mapping[str, int] | None = None,
) -> Shown:
    """The inference graph, or that of an entry, and its passes.

    batch: the size of the first axis of each input, where that is open; sizes: of open dims by
        name
    Raises CompileError NN0306, NN0103 for a size of no dim.
    """
    graph = entry_of(program, entry)
    plan = plan_of(level)
    result = run_passes(graph, plan.passes, on_pass=plan.on_pass)
    first = [value.type for value in graph.inputs]
    return Shown(graph, result, _sizes(graph, first, batch, sizes))


def gradients_of(
    program: Program,
    wrt: Iterable[str] | None = None,
    *,
    loss: str | None = None,
    section: str | None = None,
    level: int | Plan = 2,
    batch: int = 1,
    sizes: Mapping[str, int] | None = None,
) -> Shown:
    """The graph of a loss and its gradients, as `grad` finds it, and its passes. Raises
    CompileError NN0401, NN0402, NN0406, NN0103."""
    graph = find_request(program, wrt, loss=loss, section=section).gradients()
    plan = level if isinstance(level, Plan) else Plan(PASSES[level])
    result = run_passes(graph, plan.passes, evaluate, plan.on_pass)
    return Shown(graph, result, _sizes(graph, data_inputs(graph).values(), batch, sizes))


def training_of(
    program: Program,
    *,
    section: str | None = None,
    batch: int = 1,
    sizes: Mapping[str, int] | None = None,
) -> Shown:
    """A training step, the first if none is named, its gradients expanded, and its passes. Raises
    CompileError NN0401, NN0403, NN0103."""
    _, chosen = section_of(program, section)
    step = expand_gradients(chosen.step)
    result = optimize_step(step, evaluate)
    return Shown(step, result, _sizes(step, data_inputs(step).values(), batch, sizes))


def _sizes(
    graph: Graph, first: Iterable[TensorType], batch: int, given: Mapping[str, int] | None
) -> dict[str, int]:
    """first: types whose first axis is the batch"""
    given = given or {}
    names = [str(symbol) for symbol in symbols_of(graph)]
    for name in given:
        if name not in names:
            known = f"its open dims are {', '.join(names)}" if names else "it has no open dim"
            raise error("NN0103", f"{graph.name} has no open dim `{name}`", help=known)
    heads = [type_.shape[0] for type_ in first if type_.rank]
    return {str(dim): batch for dim in heads if not isinstance(dim, int)} | dict(given)
