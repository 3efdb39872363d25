"""Running a model: by NumPy, or compiled by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nncomp.backends.reference import interpreter
from nncomp.driver.compiling import entry_of, onnx_model, optimized
from nncomp.errors import error
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.types import Array

if TYPE_CHECKING:
    from nncomp.backends.ort.session import Session

Backend = Literal["onnx", "numpy"]
Device = Literal["cpu", "cuda"]


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
    level: int = 2,
) -> RunResult:
    """Runs the model, or one of its entries, with the weights of `state`.

    Raises CompileError NN0503 if an input does not fit, NN0602 if the device is not available,
    NN0604 if onnxruntime fails.
    """
    graph = optimized(entry_of(program, entry), state, level).graph
    if backend == "numpy":
        return RunResult(run_numpy(graph, inputs, device), [])
    session = open_session(graph, device)
    return RunResult(session.run(inputs), session.fallbacks())


def run_numpy(graph: Graph, inputs: Mapping[str, Any], device: Device = "cpu") -> dict[str, Array]:
    """An optimised graph in NumPy."""
    if device != "cpu":
        raise error("NN0602", "the NumPy backend runs on the CPU only")
    return interpreter.run(graph, {name: np.asarray(a) for name, a in inputs.items()}).outputs


def open_session(graph: Graph, device: Device = "cpu", optimize: bool = True) -> Session:
    """An optimised graph compiled for onnxruntime.

    optimize: whether onnxruntime's own optimiser may work on it too
    """
    from nncomp.backends.ort.session import Session

    return Session(onnx_model(graph, device=device), device, optimize)
