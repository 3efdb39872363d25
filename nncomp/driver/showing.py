"""What a page or a picture is of: a graph, and what its passes made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.compiling import data_inputs, entry_of, section_of
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


def inference_of(
    program: Program, *, entry: str | None = None, level: int | Plan = 2, batch: int = 1
) -> Shown:
    """The inference graph, or that of an entry, and its passes. Raises CompileError NN0306."""
    graph = entry_of(program, entry)
    plan = plan_of(level)
    result = run_passes(graph, plan.passes, on_pass=plan.on_pass)
    first = [value.shape[0] for value in graph.inputs if value.rank]
    return Shown(graph, result, {str(dim): batch for dim in first if not isinstance(dim, int)})


def training_of(program: Program, *, batch: int = 1) -> Shown:
    """The first training step, its gradients expanded, and its passes. Raises CompileError
    NN0401, NN0403."""
    _, section = section_of(program)
    step = expand_gradients(section.step)
    result = optimize_step(step, evaluate)
    first = [type_.shape[0] for type_ in data_inputs(step).values() if type_.rank]
    return Shown(step, result, {str(dim): batch for dim in first if not isinstance(dim, int)})
