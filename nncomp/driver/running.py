"""Running a model: by NumPy, or compiled by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from nncomp.backends.reference import interpreter
from nncomp.driver.compiling import entry_of, onnx_model, optimized
from nncomp.errors import error, require_choice
from nncomp.ir.graph import Graph
from nncomp.ir.room import room_for
from nncomp.lower.program import Program
from nncomp.passes.selection import Plan
from nncomp.types import Array, is_container

if TYPE_CHECKING:
    from nncomp.backends.ort.session import Session

Backend = Literal["onnx", "numpy"]
Device = Literal["cpu", "cuda"]


def require_place(backend: str, device: str) -> None:
    """Raises CompileError NN0202 for a backend or a device that there is not, NN0602 for the NumPy
    backend on a device."""
    require_choice("backend", backend, get_args(Backend))
    require_choice("device", device, get_args(Device))
    if backend == "numpy" and device != "cpu":
        raise error("NN0602", "the NumPy backend runs on the CPU only")


@dataclass(frozen=True)
class RunResult:
    """The outputs by name, and the operators that a CUDA run left to the CPU."""

    outputs: dict[str, Array]
    fallbacks: list[str]


def run(
    program: Program,
    state: Mapping[str, Array],
    inputs: Mapping[str, Any],
    *,
    backend: Backend = "onnx",
    device: Device = "cpu",
    entry: str | None = None,
    level: int | Plan = 2,
) -> RunResult:
    """Runs the model, or one of its entries, with the weights of `state`.

    Raises CompileError NN0503 if an input does not fit, NN0602 if the device is not available,
    NN0604 if onnxruntime fails.
    """
    require_place(backend, device)
    graph = optimized(entry_of(program, entry), state, level).graph
    if backend == "numpy":
        return RunResult(run_numpy(graph, state, inputs), [])
    session = open_session(graph, device)
    return RunResult(run_onnx(session, graph, state, inputs), session.fallbacks())


def run_numpy(
    graph: Graph, state: Mapping[str, Array], inputs: Mapping[str, Any]
) -> dict[str, Array]:
    """The outputs of an optimised graph in NumPy; `state` has what the graph updates."""
    return interpreter.run(graph, inputs, _updated(graph, state)).outputs


def run_onnx(
    session: Session, graph: Graph, state: Mapping[str, Array], inputs: Mapping[str, Any]
) -> dict[str, Array]:
    """The outputs of the session that was opened for an optimised graph. What the graph updates
    and inputs with defaults are ordinary inputs of an ONNX model."""
    left_out = {
        value.name: np.array(graph.defaults[value.name], value.type.dtype.numpy)
        for value in graph.inputs
        if value.name in graph.defaults
    }
    tensors = [v.name for v in graph.inputs if not is_container(v.type) and v.name in inputs]
    with room_for(graph, {name: np.shape(inputs[name]) for name in tensors}, "NN0604"):
        results = session.run({**left_out, **_updated(graph, state), **inputs})
    return {name: results[name] for name in graph.outputs}


def _updated(graph: Graph, state: Mapping[str, Array]) -> dict[str, Array]:
    """The values of the parameters that are still parameters."""
    return {p.path: state[p.path] for p in graph.parameters}


def open_session(graph: Graph, device: Device = "cpu", optimize: bool = True) -> Session:
    """An optimised graph compiled for onnxruntime.

    optimize: whether onnxruntime's own optimiser may work on it too
    """
    from nncomp.backends.ort.session import Session

    require_place("onnx", device)
    return Session(onnx_model(graph, device=device), device, optimize)
