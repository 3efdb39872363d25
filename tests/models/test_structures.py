"""Models over graphs, memories, pairs and lines; and the training steps of all sequence models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.types import Array
from tests.models import support
from tests.models.agreement import compiled, drawn

RNG = np.random.default_rng(0)


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def ring(nodes: int) -> Array:
    linked = np.roll(np.eye(nodes), 1, axis=0)
    return (linked + linked.T > 0).astype(np.float32)


@pytest.mark.parametrize("nodes", [3, 7, 10])
def test_gcn_multiplies_with_the_normalised_adjacency(nodes: int) -> None:
    program = support.load("gcn.nn", features=5, hidden=4, classes=3)
    values = drawn(program.graph)
    x, adjacency = normal(nodes, 5), ring(nodes)
    ours = compiled(program.graph, values)({"x": x, "adjacency": adjacency})["logits"]
    linked = adjacency + np.eye(nodes, dtype=np.float32)
    scale = np.diag(linked.sum(axis=1) ** -0.5)
    a = scale @ linked @ scale
    hidden = np.maximum(a @ x @ values["conv1.linear.weight"].T + values["conv1.bias"], 0)
    expected = a @ hidden @ values["conv2.linear.weight"].T + values["conv2.bias"]
    assert support.difference(ours, expected) <= 1e-5


def test_memory_network_looks_at_sentences() -> None:
    program = support.load("memnet.nn", vocabulary=17, width=6, sentences=5, classes=17)
    model = compiled(program.graph, drawn(program.graph))
    for n, w in ((1, 3), (3, 7), (7, 1)):
        story, question = RNG.integers(0, 17, (n, 5, w)), RNG.integers(1, 17, (n, w))
        results = model({"story": story, "question": question})
        assert np.allclose(results["attention"].sum(axis=1), 1, atol=1e-5)


EVOFORMER = {
    "msa_width": 10, "pair_width": 8, "heads": 2, "head_width": 3, "pair_heads": 2,
    "hidden": 6, "outer": 4,
}  # fmt: skip


@pytest.mark.parametrize("outgoing", [True, False])
def test_triangle_updates_equal_their_definition(outgoing: bool) -> None:
    text = (support.MODELS / "evoformer.nn").read_text("utf-8")
    flag = str(outgoing).lower()
    text += f"""
model Triangle {{
  input pair: f32[R, R, 5]
  output y = pair |> TriangleMultiplication(4, {flag}) as t
}}
"""
    from tests.lower.programs import program

    graph = program(text, "Triangle").graph
    values = drawn(graph)
    pair = normal(7, 7, 5)

    def layer(x: Array, name: str) -> Array:
        return x @ values[f"t.{name}.weight"].T + values[f"t.{name}.bias"]

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return scaled * values[f"t.{name}.weight"] + values[f"t.{name}.bias"]

    def sigmoid(x: Array) -> Array:
        return 1 / (1 + np.exp(-x))

    x = norm(pair, "norm")
    a, b = (sigmoid(layer(x, f"{n}_gate")) * layer(x, n) for n in "ab")
    y = np.einsum("ikc,jkc->ijc" if outgoing else "kic,kjc->ijc", a, b)
    expected = sigmoid(layer(x, "gate")) * layer(norm(y, "out_norm"), "out")
    assert support.difference(compiled(graph, values)({"pair": pair})["y"], expected) <= 1e-5


# --- training --------------------------------------------------------------------------------


def steps(program: Program, inputs: dict[str, Array], count: int, **hyper: float) -> list[float]:
    """The losses of some steps on one batch, on NumPy."""
    step = expand_gradients(program.train["train"].step)
    values = dict(run(program.initial, {"seed": np.int64(0)}).outputs)
    losses = []
    for number in range(count):
        results = run(step, inputs | _scalars(step, number, hyper), support.own(step, values))
        losses.append(float(results.outputs["loss"]))
        values |= results.updates
    return losses


def _scalars(graph: Graph, number: int, hyper: dict[str, float]) -> dict[str, Array]:
    known = {v.name: v.type.dtype.numpy for v in graph.inputs}
    given = {"step": number, "seed": 0, **hyper}
    return {name: np.asarray(v, known[name]) for name, v in given.items() if name in known}


def test_gradient_descent_finds_the_least_squares_solution() -> None:
    program = support.load("linear.nn", features=3)
    x, y = normal(40, 3), normal(40, 1)
    step = expand_gradients(program.train["train"].step)
    values = dict(run(program.initial, {"seed": np.int64(0)}).outputs)
    for _ in range(300):
        values |= run(step, {"x": x, "y": y}, support.own(step, values)).updates
    design = np.concatenate([x, np.ones((40, 1), np.float32)], axis=1)
    best = np.linalg.lstsq(design, y, rcond=None)[0].ravel()
    found = [*values["linear.weight"].ravel(), *values["linear.bias"]]
    assert np.allclose(found, best, atol=1e-3)


def text(*shape: int) -> Array:
    return np.random.default_rng(3).integers(1, 11, shape)


SMALL = {"layers": 1, "width": 12, "heads": 2, "vocabulary": 11}
TRAINED: dict[str, tuple[str, str | None, dict[str, Any], dict[str, Array]]] = {
    "gpt": ("gpt.nn", None, {**SMALL, "context": 16, "dropout": 0.0}, {"tokens": text(3, 7)}),
    "transformer": (
        "transformer.nn",
        None,
        {**SMALL, "hidden": 20, "dropout": 0.0, "warmup": 100},
        {"source": text(3, 7), "target": text(3, 5), "label": text(3, 5)},
    ),
    "bert": (
        "bert.nn",
        "BertForPreTraining",
        {**SMALL, "context": 16, "dropout": 0.0},
        {
            "tokens": text(3, 7),
            "segments": text(3, 7) % 2,
            "mask": np.ones((3, 7), bool),
            "label": np.where(text(3, 7) > 3, text(3, 7), -100),
            "next": text(3) % 2,
        },
    ),
    "memnet": (
        "memnet.nn",
        None,
        {"vocabulary": 11, "width": 6, "sentences": 4, "classes": 11},
        {"story": text(3, 4, 5), "question": text(3, 5), "label": text(3)},
    ),
    "gcn": (
        "gcn.nn",
        None,
        {"features": 5, "dropout": 0.0},
        {"x": normal(7, 5), "adjacency": ring(7), "label": np.array([0, 1, -1, -1, 1, -1, 0])},
    ),
    "evoformer": (
        "evoformer.nn",
        None,
        EVOFORMER,
        {"msa": normal(3, 5, 10), "pair": normal(5, 5, 8), "target": normal(5, 5, 8)},
    ),
    "unet": (
        "unet.nn",
        None,
        {"size": 44, "width": 3, "levels": 2},
        {"image": normal(2, 1, 44, 44), "label": text(2, 4, 4) % 2},
    ),
}


@pytest.mark.parametrize("name", TRAINED)
def test_training_lowers_the_loss(name: str) -> None:
    file, model, settings, inputs = TRAINED[name]
    rate = {} if name in ("transformer", "unet") else {"lr": 1e-2}
    losses = steps(support.load(file, model, **settings), inputs, 12, **rate)
    assert losses[-1] < 0.995 * losses[0]


@pytest.mark.parametrize("name", TRAINED)
def test_gradients_agree(name: str) -> None:
    """onnxruntime = NumPy, parameter by parameter."""
    file, model, settings, inputs = TRAINED[name]
    program = support.load(file, model, **settings)
    graph = support.gradient_graph(program.train["train"].step)
    values = dict(run(program.initial, {"seed": np.int64(0)}).outputs)
    known = {v.name for v in graph.inputs}
    given = inputs | {k: v for k, v in _scalars(graph, 0, {}).items() if k in known}
    given |= support.scalars(graph)
    expected = run(graph, given, support.own(graph, values)).outputs
    found = support.onnx_gradients(graph, given, values)
    scale = max(np.abs(v).max() for k, v in expected.items() if k != "loss")
    for path, value in expected.items():
        assert np.abs(found[path] - value).max() <= 1e-4 * max(scale, np.abs(value).max()), path
