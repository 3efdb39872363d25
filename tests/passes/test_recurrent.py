"""Scans that become LSTM, GRU and RNN, however their step is written; and those that do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.driver.compiling import initial_values
from nncomp.ir.bind import bind
from nncomp.ir.graph import Graph, Node
from nncomp.ops.recurrent import Recurrent
from nncomp.passes.manager import optimize
from tests.lower.programs import program

PARAMETERS = """
block Weights(rows: int, columns: int)() {
  param weight: float[rows, columns] = uniform(-0.6, 0.6)
  return weight
}
block Bias(size: int)() {
  param bias: float[size] = uniform(-0.6, 0.6)
  return bias
}
"""


def recognized(graph: Graph, level: int = 3) -> tuple[list[Recurrent], list[str]]:
    """The operators that Scans have become, once the answers are the same; the refusals."""
    result = optimize(graph, level, evaluate)
    rng = np.random.default_rng(3)
    for length in (1, 4):
        sizes = {"T": length, "N": 3}
        inputs = {
            v.name: rng.normal(size=[sizes.get(str(d), d) for d in v.shape]).astype(np.float32)
            for v in graph.inputs
        }
        wanted = run(graph, inputs).outputs
        model = emit(legalize(result.graph))
        for found in (
            run(result.graph, inputs).outputs,
            Session(model, optimize=False).run(inputs),
        ):
            for name, array in wanted.items():
                np.testing.assert_allclose(found[name], array, rtol=0, atol=3e-6, err_msg=name)
    kinds = [node.op for node in result.graph.nodes if isinstance(node.op, Recurrent)]
    return kinds, [r.reason for r in result.refusals if r.rule == "scan-to-operator"]


def graph_of(body: str, inputs: str = "x: f32[T, N, 3]") -> Graph:
    lowered = program(
        f"nn 1\nfrom std import LSTM, GRU, RNN\n{PARAMETERS}\n"
        f"model M {{\n  input {inputs}\n{body}\n}}\n"
    )
    values = initial_values(lowered, 5)
    own = {p.path: values[p.path] for p in lowered.graph.parameters}
    return bind(lowered.graph, own)


def kinds(ops: Sequence[Recurrent]) -> list[tuple[str, str]]:
    return [(op.name, op.direction) for op in ops]


@pytest.mark.parametrize("layer", ["LSTM(5)", "LSTM(5, peephole=true)", "GRU(5)", "RNN(5)"])
def test_the_layers_of_the_library(layer: str) -> None:
    ops, refused = recognized(graph_of(f"  y = x |> {layer}\n  output y"))
    assert kinds(ops) == [(layer[: layer.index("(")], "forward")]
    assert refused == []


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN"])
def test_two_layers_of_two_directions_with_their_states(layer: str) -> None:
    last = "(y, h, c)" if layer == "LSTM" else "(y, h)"
    body = f"  {last} = x |> {layer}(4, 2, bidirectional=true, state=true)\n  output y\n  output h"
    ops, _ = recognized(graph_of(body))
    assert kinds(ops) == [(layer, d) for d in ("forward", "reverse")] * 2


def test_states_that_are_given() -> None:
    body = "  (y, h, c) = x |> LSTM(4, state=true)(h0, c0)\n  output y\n  output c"
    inputs = "x: f32[T, N, 3]\n  input h0: f32[1, N, 4]\n  input c0: f32[1, N, 4]"
    ops, _ = recognized(graph_of(body, inputs))
    assert kinds(ops) == [("LSTM", "forward")]


def test_only_the_last_state_is_read() -> None:
    ops, _ = recognized(graph_of("  (y, h) = x |> GRU(4, state=true)\n  output h"))
    assert kinds(ops) == [("GRU", "forward")]


GATES = """  w = Weights(3, 16)()
  r = Weights(4, 16)()
  b = Bias(16)()
"""


@pytest.mark.parametrize(
    "step",
    [
        # operands the other way round, in another order of gates
        """    (o, f, g, i) = split(h @ r + (b + xt @ w), 4, axis=1)
    c = tanh(g) * sigmoid(i) + c * sigmoid(f)
    h = tanh(c) * sigmoid(o)""",
        # sigmoids of all gates at once, slices
        """    a = xt @ w + h @ r + b
    s = sigmoid(a)
    c = s[:, 0:4] * tanh(a[:, 12:16]) + s[:, 4:8] * c
    h = tanh(c) * s[:, 8:12]""",
        # each product for itself
        """    f = sigmoid(xt @ w[:, 0:4] + h @ r[:, 0:4])
    i = sigmoid(xt @ w[:, 4:8] + h @ r[:, 4:8] + b[0:4])
    g = tanh(h @ r[:, 8:12] + xt @ w[:, 8:12] - b[4:8])
    o = sigmoid(xt @ w[:, 12:16] * 2.0 + h @ r[:, 12:16])
    c = f * c + i * g
    h = o * tanh(c)""",
        # a cell that is not bent by tanh
        """    (i, f, g, o) = split(xt @ w + h @ r, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * relu(g)
    h = sigmoid(o) * relu(c)""",
    ],
    ids=["other order", "sigmoid of all", "one by one", "relu"],
)
def test_steps_of_an_lstm(step: str) -> None:
    body = (
        f"{GATES}  y = scan (h = zeros([N, 4]), c = zeros([N, 4])) over xt = x {{\n"
        f"{step}\n    yield h\n  }}\n  output y"
    )
    ops, refused = recognized(graph_of(body))
    assert (kinds(ops), refused) == ([("LSTM", "forward")], [])


GRU_GATES = """  w = Weights(3, 12)()
  r = Weights(4, 12)()
  b = Bias(12)()
  xs = x @ w + b
"""


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (
            """    a = g[:, 0:8] + h @ r[:, 0:8]
    (z, k) = split(sigmoid(a), 2, axis=1)
    n = tanh(g[:, 8:12] + k * (h @ r[:, 8:12] + b[0:4]))
    h = (1.0 - z) * n + z * h""",
            1,
        ),
        (
            """    z = sigmoid(g[:, 0:4] + h @ r[:, 0:4])
    k = sigmoid(g[:, 4:8] + h @ r[:, 4:8])
    n = tanh(g[:, 8:12] + (h * k) @ r[:, 8:12])
    h = z * h + n - n * z""",
            0,
        ),
        (  # z takes the new one rather than keeps the old
            """    z = sigmoid(g[:, 0:4] + h @ r[:, 0:4])
    k = sigmoid(g[:, 4:8] + h @ r[:, 4:8])
    n = tanh(g[:, 8:12] + (k * h) @ r[:, 8:12])
    h = h + z * (n - h)""",
            0,
        ),
    ],
    ids=["after the product", "before the product", "swapped"],
)
@pytest.mark.parametrize("reverse", ["", " reverse"])
def test_steps_of_a_gru(step: str, after: int, reverse: str) -> None:
    body = (
        f"{GRU_GATES}  y = scan (h = ones([N, 4])) over g = xs{reverse} {{\n"
        f"{step}\n    yield h\n  }}\n  output y"
    )
    ops, refused = recognized(graph_of(body))
    assert (kinds(ops), refused) == ([("GRU", "reverse" if reverse else "forward")], [])
    assert getattr(ops[0], "linear_before_reset") == after  # noqa: B009


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("(s = zeros([N, 3])) over xt = x { s = s + xt\n yield s }", "its step is neither"),
        (
            "(s = zeros([N, 3])) over xt = x { s = tanh(xt + s)\n yield s }",
            "what it scans is no product of a sequence and known weights",
        ),
        (
            "(s = zeros([N, 3])) over xt = x { s = sin(xt @ w + s @ w)\n yield s }",
            "its step is neither",
        ),
        (
            "(s = zeros([N, 3])) over xt = x { s = tanh(xt @ w + s @ w)\n yield 2.0 * s }",
            "it stacks more than its state",
        ),
        (
            "(s = zeros([N, 3])) over xt = x { s = tanh(xt @ k + s @ w)\n yield s }",
            "the weights of a gate are computed at run time",
        ),
        (
            "(s = zeros([N, 3]), u = ones([N, 3]), v = ones([N, 3])) over xt = x {\n"
            " s = tanh(xt @ w + s @ w + u @ w)\n u = s + v\n v = s * u\n yield s }",
            "it carries 3 states",
        ),
    ],
)
def test_refusals(body: str, reason: str) -> None:
    inputs = "x: f32[T, N, 3]\n  input k: f32[3, 3]"
    ops, refused = recognized(
        graph_of(f"  w = Weights(3, 3)()\n  y = scan {body}\n  output y", inputs)
    )
    assert ops == []
    assert any(reason in why for why in refused), refused


def test_levels() -> None:
    gru, rnn = (graph_of(f"  y = x |> {layer}(5)\n  output y") for layer in ("GRU", "RNN"))
    assert recognized(gru, 1)[0] == []
    assert kinds(recognized(gru, 2)[0]) == [("GRU", "forward")]
    ops, refused = recognized(rnn, 2)
    assert ops == []
    assert refused == ["it is an RNN, whose operator onnxruntime runs slower; -O3 writes it"]


def test_the_operator_comes_from_the_line_of_the_scan() -> None:
    graph = optimize(graph_of("  y = x |> GRU(5)\n  output y"), 2, evaluate).graph
    node: Node = next(n for n in graph.nodes if isinstance(n.op, Recurrent))
    assert str(node.origin.history[-1]) == "recognize-recurrent/scan-to-operator"
    assert any("recurrent.nn" in str(span) for span in node.origin.spans)
