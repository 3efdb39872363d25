"""Passes and control flow: bodies are optimised, and what nobody reads of them goes."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.graph import Graph, Node
from nncomp.ir.verify import verify
from nncomp.ops.control import If, Loop, Scan
from nncomp.passes.base import PassContext
from nncomp.passes.manager import optimize, run_everywhere
from nncomp.passes.prune_bodies import PruneBodies
from tests.lower.programs import program


def graph_of(statements: str) -> Graph:
    return program(f"model M {{\n  input x: f32[T, N, 3]\n{statements}\n}}\n").graph


def pruned(graph: Graph) -> tuple[Graph, dict[str, int]]:
    result = run_everywhere(PruneBodies(), graph, PassContext(evaluate))
    verify(result.graph)
    again = run_everywhere(PruneBodies(), result.graph, PassContext(evaluate))
    assert again.graph is result.graph
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype("f")
    expected = run(graph, {"x": x}).outputs
    for name, array in run(result.graph, {"x": x}).outputs.items():
        np.testing.assert_array_equal(array, expected[name])
    return result.graph, dict(result.counts)


def the(graph: Graph, kind: type[Scan | Loop | If]) -> Node:
    (node,) = (n for n in graph.nodes if isinstance(n.op, kind))
    return node


def test_unread_yields_states_and_elements_go() -> None:
    graph, counts = pruned(
        graph_of(
            "  (a, b) = scan (h = 0.0, n = 0) over xt = x, u = x * 2 {\n"
            "    h = h + sum(xt)\n    n = n + 1\n    yield h, sum(u) * float(n)\n  }\n  output a"
        )
    )
    op = the(graph, Scan).op
    assert isinstance(op, Scan)
    assert (op.num_states, op.num_scan_inputs, len(op.yields)) == (1, 1, 1)
    assert counts["drop-result"] == 2


def test_places_of_what_stays_are_kept() -> None:
    graph, _ = pruned(
        graph_of(
            "  (a, b) = scan over xt = x, u = x axis 0 reverse { yield xt, u axis 1 reverse }\n"
            "  output b"
        )
    )
    op = the(graph, Scan).op
    assert isinstance(op, Scan)
    assert op.input_places == ((0, 1),)
    assert op.output_places == ((1, 1),)


def test_a_scan_goes_over_something() -> None:
    graph, _ = pruned(
        graph_of("  y = scan (h = 1.0) over xt = x { h = h * 2\n    yield h }\n  output y")
    )
    op = the(graph, Scan).op
    assert isinstance(op, Scan)
    assert op.num_scan_inputs == 1


def test_captured_constants_stand_inside() -> None:
    graph = graph_of(
        "  k = x * 0 + 2.0\n  y = scan (h: float[N, 3] = zeros()) over xt = x {\n"
        "    h = h + xt * mean(k)\n    yield h }\n  output y"
    )
    before = the(graph, Scan)
    tidy = optimize(graph, 2, evaluate).graph
    assert the(tidy, Scan).op.bodies[0].captures <= before.op.bodies[0].captures


def test_bodies_are_optimised() -> None:
    graph = graph_of(
        "  y = scan (h: float[N, 3] = zeros()) over xt = x {\n"
        "    h = tanh(xt * 1.0 + h) + tanh(xt + h)\n    yield h }\n  output y"
    )
    tidy = optimize(graph, 2, evaluate).graph
    inside = [n.op.name for n in the(tidy, Scan).op.bodies[0].nodes if n.op.name != "Constant"]
    assert inside == ["Add", "Tanh", "Add"]


@pytest.mark.parametrize("kind", [Loop, If])
def test_loops_and_branches(kind: type[Loop | If]) -> None:
    text = (
        "  y = loop (i = 0, s = 0.0, dead = 1.0) while i < 3 {\n"
        "    i = i + 1\n    s = s + mean(x)\n    dead = dead * s }\n  output y = s"
        if kind is Loop
        else "  (a, b) = cond sum(x) > 0 { yield x * 2, exp(x) } else { yield x, x }\n  output a"
    )
    graph, counts = pruned(graph_of(text.replace("output y = s", "output s")))
    assert counts["drop-result"] == 1
    assert len(the(graph, kind).outputs) == (2 if kind is Loop else 1)


def test_control_flow_is_not_run_while_compiling() -> None:
    """It might never end."""
    graph = graph_of("  y = loop (i = 0) while i >= 0 { i = i + 1 }\n  output i")
    assert the(optimize(graph, 2, evaluate).graph, Loop)
