"""What a page or a picture is of: a graph, and what its passes made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import symbols_in
from nncomp.driver.compiling import entry_of, section_of
from nncomp.errors import did_you_mean, error
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.passes.manager import OptimizeResult, optimize_step, run_passes
from nncomp.passes.selection import Plan, plan_of


@dataclass(frozen=True)
class Shown:
    """A graph and what the passes made of it. sizes: of its symbolic dims, for what it costs."""

    graph: Graph
    result: OptimizeResult | None
    sizes: Mapping[str, int]


def passed(graph: Graph, level: int | Plan = 2) -> OptimizeResult:
    """A graph after the passes of a level or plan, its weights unknown."""
    plan = plan_of(level)
    return run_passes(graph, plan.passes, on_pass=plan.on_pass)


def inference_of(
    program: Program,
    *,
    entry: str | None = None,
    level: int | Plan = 2,
    batch_size: int = 1,
    sizes: Mapping[str, int] | None = None,
) -> Shown:
    """The inference graph, or that of an entry, and its passes.

    batch_size: the size of the first axis of each input, where that is open; sizes: of open dims by
        name
    Raises CompileError NN0306, NN0103 for a size of no dim.
    """
    graph = entry_of(program, entry)
    return Shown(graph, passed(graph, level), sizes_for(graph, batch_size, sizes))


def training_of(
    program: Program,
    *,
    section: str | None = None,
    batch_size: int = 1,
    sizes: Mapping[str, int] | None = None,
) -> Shown:
    """A training step, the first if none is named, its gradients expanded, and its passes. Raises
    CompileError NN0401, NN0403, NN0103."""
    _, chosen = section_of(program, section)
    step = expand_gradients(chosen.step)
    result = optimize_step(step, evaluate)
    return Shown(step, result, sizes_for(step, batch_size, sizes))


def sizes_for(
    graph: Graph, batch_size: int = 1, sizes: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Sizes of symbolic dims by name: the first axes of inputs are batches; others as given.

    Raises CompileError NN0103 for a name that no dim has.
    """
    first = {
        str(value.shape[0]): batch_size
        for value in graph.inputs
        if value.rank and not isinstance(value.shape[0], int)
    }
    given = sizes or {}
    dims = {s.name for s in symbols_in(d for v in graph.inputs for d in v.shape)}
    for name in given:
        if name not in dims:
            raise error(
                "NN0103",
                f"{graph.name} has no dim `{name}`",
                help=did_you_mean(name, dims) or f"its open dims are {', '.join(sorted(dims))}",
            )
    return {**first, **given}
