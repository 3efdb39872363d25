"""Sizes into a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import run
from nncomp.dims import Dim
from nncomp.driver.compiling import initial_values, section_of
from nncomp.driver.programs import load_program
from nncomp.errors import CompileError
from nncomp.ir.bind_dims import bind_dims
from nncomp.ir.constant import Dims
from nncomp.ir.graph import Graph, Node
from nncomp.ir.verify import verify
from nncomp.source import SourceFile
from nncomp.types import Array

MODELS = Path(__file__).resolve().parents[2] / "models"
SIZES = (5, 7)  # of the batch, and of the sequence


def all_nodes(graph: Graph) -> list[Node]:
    """The graph's nodes and those in its bodies."""
    inner = [n for node in graph.nodes for body in node.op.bodies for n in all_nodes(body)]
    return [*graph.nodes, *inner]


@pytest.mark.parametrize("model", ["lenet5", "lstm"])  # the second has a Scan
def test_the_graph_with_numbers_computes_the_same(model: str) -> None:
    program = load_program(MODELS / f"{model}.nn")
    graph = section_of(program)[1].evaluation
    open_dims = [d for d in graph.inputs[0].shape if isinstance(d, Dim)]
    sizes = {d.symbol: n for d, n in zip(open_dims, SIZES, strict=False) if d.symbol}
    bound = bind_dims(graph, sizes)
    verify(bound)
    results = [v for node in all_nodes(bound) for v in node.outputs]
    assert all(isinstance(d, int) for v in (*bound.inputs, *results) for d in v.shape)
    assert not any(isinstance(node.op, Dims) for node in all_nodes(bound))

    rng = np.random.default_rng(0)
    feeds: dict[str, Array] = {}
    for value in bound.inputs:
        shape, dtype = value.type.static_shape, value.type.dtype.numpy
        numbers = rng.random(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)
        feeds[value.name] = numbers.astype(dtype)
    state = initial_values(program)
    state = {p.path: state[p.path] for p in graph.parameters}
    expected = run(graph, feeds, state).outputs
    for name, array in run(bound, feeds, state).outputs.items():
        np.testing.assert_array_equal(array, expected[name])


def test_what_is_asserted_of_the_sizes() -> None:
    source = """model M {
      input x: f32[N, T]
      assert N % 4 == 0, "the batch comes in fours"
      assert N + T < 20, "it is too much"
      output y = x
    }"""
    graph = load_program(SourceFile("m.nn", source)).graph
    batch, length = (d.symbol for d in graph.inputs[0].shape if isinstance(d, Dim))
    assert batch is not None
    assert length is not None
    (left,) = bind_dims(graph, {batch: 8}).obligations
    assert left.symbols() == {length}
    assert bind_dims(graph, {batch: 8, length: 5}).obligations == ()
    with pytest.raises(CompileError, match=r"NN0209.*fours"):
        bind_dims(graph, {batch: 6})
    with pytest.raises(CompileError, match=r"NN0209.*too much"):
        bind_dims(graph, {batch: 8, length: 12})
