"""Gradients of small graphs in float64: by reverse mode, by central differences, by torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ir.op import Op
from nncomp.ir.verify import verify
from nncomp.ops.grad import Grad
from nncomp.passes.manager import TRAINING, run_passes
from nncomp.types import Array, DType, TensorType


class Net:
    """Collects a graph; its inputs are f64 unless said otherwise."""

    def __init__(self) -> None:
        self.b = Builder()
        self.inputs: list[Value] = []

    def __call__(self, op: Op, *inputs: Value | float | None) -> Value:
        return self.b(op, *inputs)

    def input(self, *shape: DimLike, dtype: DType = DType.F64) -> Value:
        value = Value(TensorType(dtype, shape), f"x{len(self.inputs)}")
        self.inputs.append(value)
        return value

    def grad(self, loss: Value, *wrt: Value) -> tuple[Value, ...]:
        return self.b.multi(Grad(), loss, *wrt)

    def graph(self, *outputs: Value) -> Graph:
        named = {f"y{i}": v for i, v in enumerate(outputs)}
        graph = Graph("g", tuple(self.inputs), (), tuple(self.b.nodes), named)
        verify(graph)
        return graph


def expanded(graph: Graph) -> Graph:
    """The graph with its gradients, valid before and after the passes for training."""
    graph = expand_gradients(graph)
    verify(graph)
    assert not any(isinstance(node.op, Grad) for node in graph.nodes)
    return graph


def values(graph: Graph, inputs: Mapping[str, Array]) -> list[Array]:
    """The outputs in order; the same with and without the passes for training."""
    plain = list(run(graph, inputs).outputs.values())
    tidy = run_passes(graph, TRAINING, evaluate).graph
    for a, b in zip(run(tidy, inputs).outputs.values(), plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    return plain


def randoms(*shapes: tuple[int, ...], seed: int = 0) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in shapes]


def named(arrays: Sequence[Array]) -> dict[str, Array]:
    return {f"x{i}": array for i, array in enumerate(arrays)}


def central_differences(graph: Graph, arrays: Sequence[Array], place: int) -> Array:
    """The gradient of the first output with respect to one input, number by number."""
    step = 1e-6
    x = arrays[place]
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            inputs = named([*arrays[:place], moved, *arrays[place + 1 :]])
            ends.append(float(next(iter(run(graph, inputs).outputs.values()))))
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def check_gradients(net: Net, loss: Value, arrays: Sequence[Array], rtol: float = 1e-6) -> None:
    """Gradients with respect to all inputs = central differences."""
    forward = net.graph(loss)
    graph = expanded(net.graph(*net.grad(loss, *net.inputs)))
    for place, gradient in enumerate(values(graph, named(arrays))):
        wanted = central_differences(forward, arrays, place)
        assert gradient.shape == arrays[place].shape
        scale = max(1.0, float(np.max(np.abs(wanted), initial=0)))
        np.testing.assert_allclose(gradient, wanted, rtol=0, atol=rtol * scale)
