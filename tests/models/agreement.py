"""One program on NumPy and onnxruntime, before and after the passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.bind import bind
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.passes.manager import optimize
from nncomp.passes.retype import retype
from nncomp.types import Array, DType
from tests.models.support import difference, own


def count(program: Program) -> int:
    """How many numbers the inference graph learns."""
    learnt = [p for p in program.graph.parameters if p.kind == "param"]
    return sum(prod(p.value.type.static_shape) for p in learnt)


def drawn(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Weights that keep the scale of activations, faster than the program's own; statistics of
    batches that are not the trivial ones."""
    rng = np.random.default_rng(seed)
    values: dict[str, Array] = {}
    for p in graph.parameters:
        shape = p.value.type.static_shape
        if p.path.endswith("running_var"):
            value = rng.uniform(0.5, 2, shape)
        elif len(shape) > 1:
            value = rng.standard_normal(shape, np.float32) * sqrt(2 / prod(shape[1:]))
        else:
            centre = 1 if p.path.endswith("weight") else 0
            value = centre + 0.1 * rng.standard_normal(shape)
        values[p.path] = np.asarray(value, np.float32)
    return values


@dataclass
class Compiled:
    """A graph with weights: as it was written, and optimised on both backends."""

    graph: Graph
    optimized: Graph
    session: Session

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """NumPy's answer to the graph as written, which the others must give too."""
        expected = run(self.graph, inputs).outputs
        for results in (run(self.optimized, inputs).outputs, self.session.run(inputs)):
            assert [results[name].shape for name in expected] == [
                value.shape for value in expected.values()
            ]
            apart = [n for n, value in expected.items() if difference(results[n], value) > 1e-5]
            if apart:  # a long chain of normalisations: float64 is the judge of both
                exact = self._exactly(inputs)
                for name in apart:
                    own = difference(expected[name], exact[name])
                    assert difference(results[name], exact[name]) <= max(1e-5, 2 * own), name
        return expected

    def _exactly(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        wide = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in inputs.items()}
        return run(retype(self.graph, {DType.F32: DType.F64}), wide).outputs


def compiled(graph: Graph, values: Mapping[str, Array]) -> Compiled:
    bound = bind(graph, own(graph, values))
    optimized = optimize(bound, 2, evaluate).graph
    return Compiled(bound, optimized, Session(emit(legalize(optimized))))


def images(graph: Graph, sizes: Iterable[int], seed: int = 1) -> list[dict[str, Array]]:
    """Batches of random images, as the graph's one input."""
    rng = np.random.default_rng(seed)
    (image,) = graph.inputs
    _, *rest = image.shape
    return [{image.name: rng.standard_normal((n, *rest)).astype(np.float32)} for n in sizes]
