"""What a Scan computes of its scanned tensors alone is computed for all runs at once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.graph import Graph
from nncomp.ir.verify import verify
from nncomp.ops.control import Scan
from nncomp.passes.base import PassContext
from nncomp.passes.hoist_from_scans import HoistFromScans
from nncomp.passes.manager import optimize_step, run_everywhere
from tests.lower.programs import program


def graph_of(statements: str) -> Graph:
    return program(f"model M {{\n  input x: f32[T, N, 3]\n{statements}\n}}\n").graph


def hoisted(statements: str) -> tuple[Counter[str], dict[str, int]]:
    """The operators left in the only Scan's body, and what the pass did."""
    graph = graph_of(statements)
    context = PassContext(evaluate)
    result = run_everywhere(HoistFromScans(), graph, context)
    verify(result.graph)
    assert run_everywhere(HoistFromScans(), result.graph, context).graph is result.graph
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype("f")
    expected = run(graph, {"x": x}).outputs
    found = run(result.graph, {"x": x}).outputs
    other = Session(emit(legalize(result.graph))).run({"x": x})
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-6)
        np.testing.assert_allclose(other[name], array, rtol=1e-5)
    (op,) = (node.op for node in result.graph.nodes if isinstance(node.op, Scan))
    return Counter(node.op.name for node in op.body.nodes), dict(result.counts)


@pytest.mark.parametrize(("reverse", "count"), [("", 3), (" reverse", 2)])
def test_elementwise_chains_of_slices_of_one_direction_are_hoisted(
    reverse: str, count: int
) -> None:
    left, counts = hoisted(
        f"  y = scan (h = zeros([N, 3])) over xt = x, u = x * 2{reverse} {{\n"
        "    h = tanh(h) + sigmoid(xt) * (1.0 - u)\n    yield h\n  }\n  output y"
    )
    assert counts == {"hoist": count}
    assert left["Tanh"] == left["Add"] == 1
    assert left["Mul"] == 3 - count
    assert not left["Sigmoid"] + left["Sub"]


def test_products_are_regrouped() -> None:
    left, counts = hoisted(
        "  y = scan (h = zeros([N, 3])) over xt = x, u = x * 2 {\n"
        "    h = tanh(h + 1.0) * xt * u * xt\n    yield h\n  }\n  output y"
    )
    assert counts == {"regroup": 2}
    assert left["Mul"] == 1


def test_a_product_with_other_readers_stays() -> None:
    left, counts = hoisted(
        "  (y, z) = scan (h = zeros([N, 3])) over xt = x, u = x * 2 {\n"
        "    a = tanh(h + 1.0) * xt\n    h = a * u\n    yield h, a\n  }\n  output y, z"
    )
    assert not counts
    assert left["Mul"] == 2


@pytest.mark.parametrize(
    "body",
    [
        "yield softmax(xt)",  # not elementwise
        "yield xt * x[0, :, none, :]",  # larger than its slice
        "yield sum(xt) * x[1]",  # a slice of lower rank would be aligned wrongly
    ],
)
def test_what_stays(body: str) -> None:
    _, counts = hoisted(f"  y = scan over xt = x {{ {body} }}\n  output y")
    assert not counts


def test_other_axes_and_directions_stay() -> None:
    _, counts = hoisted("  y = scan over xt = x axis 1 { yield tanh(xt) }\n  output y")
    assert not counts


def test_all_that_is_yielded_may_be_hoisted() -> None:
    left, counts = hoisted("  y = scan over xt = x { yield tanh(xt) * 2.0 }\n  output y")
    assert counts == {"hoist": 2}
    assert not left["Tanh"]


def test_the_gradient_of_an_lstm_runs_ten_nodes() -> None:
    source = """from std import LSTM, SGD
model M {
  input x: f32[T, N, 3]
  y = x |> LSTM(4)
  train { minimize mean(y * y) by SGD(lr=0.1) }
}
"""
    step = program(source).train["train"].step
    graph = optimize_step(expand_gradients(step), evaluate).graph
    bodies = [node.op.body for node in graph.nodes if isinstance(node.op, Scan)]
    assert len(bodies) == 2
    assert len(bodies[1].nodes) == 10
    assert len(set(bodies[1].outputs.values())) == len(bodies[1].outputs)
