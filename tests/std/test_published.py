"""Published formulas beside the library's, in float64: optimisers on a quadratic, a batch of
contrastive divergence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from tests.lower.programs import program

# E(p) = ½ (p - c) A (p - c), with axes of different curvature
A = np.array([[4.0, 1.0], [1.0, 0.5]])
C = np.array([1.0, -2.0])
START = np.array([3.0, 3.0])
STEPS = 40


def slope(p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return A @ (p - C)


Path_ = Iterator[np.ndarray[Any, Any]]


def descent(p: Any, lr: float) -> Path_:
    while True:
        p = p - lr * slope(p)
        yield p


def momentum(p: Any, lr: float, beta: float, nesterov: bool = False) -> Path_:
    """Polyak, 1964; Nesterov, 1983, as Sutskever et al., 2013, write it, at the point ahead."""
    v = 0 * p
    while True:
        v = beta * v + slope(p)
        p = p - lr * (slope(p) + beta * v if nesterov else v)
        yield p


def rprop(p: Any, lr: float) -> Path_:
    """Riedmiller, Braun, 1993, without weight backtracking."""
    before, size = 0 * p, np.full_like(p, lr)
    while True:
        g = slope(p)
        size = np.where(g * before > 0, np.minimum(size * 1.2, 50.0), size)
        size = np.where(g * before < 0, np.maximum(size * 0.5, 1e-6), size)
        g = np.where(g * before < 0, 0, g)
        p, before = p - np.sign(g) * size, g
        yield p


def adagrad(p: Any, lr: float) -> Path_:
    """Duchi et al., 2011."""
    s = 0 * p
    while True:
        s = s + slope(p) ** 2
        p = p - lr * slope(p) / (np.sqrt(s) + 1e-10)
        yield p


def adadelta(p: Any, lr: float) -> Path_:
    """Zeiler, 2012, algorithm 1."""
    squares, steps = 0 * p, 0 * p
    while True:
        g = slope(p)
        squares = 0.9 * squares + 0.1 * g * g
        step = -np.sqrt(steps + 1e-6) / np.sqrt(squares + 1e-6) * g
        steps = 0.9 * steps + 0.1 * step * step
        p = p + lr * step
        yield p


def rmsprop(p: Any, lr: float) -> Path_:
    """Tieleman, Hinton, 2012, lecture 6.5."""
    s = 0 * p
    while True:
        s = 0.99 * s + 0.01 * slope(p) ** 2
        p = p - lr * slope(p) / (np.sqrt(s) + 1e-8)
        yield p


def adam(p: Any, lr: float) -> Path_:
    """Kingma, Ba, 2015, algorithm 1."""
    m, v, t = 0 * p, 0 * p, 0
    while True:
        t += 1
        g = slope(p)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        p = p - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        yield p


UPDATES = [
    ("SGD(lr=0.1)", descent(START, 0.1)),
    ("Momentum(lr=0.1)", momentum(START, 0.1, 0.9)),
    ("SGD(lr=0.1, momentum=0.8, nesterov=true)", momentum(START, 0.1, 0.8, nesterov=True)),
    ("Rprop(lr=0.05)", rprop(START, 0.05)),
    ("Adagrad(lr=0.1)", adagrad(START, 0.1)),
    ("Adadelta(lr=1.0)", adadelta(START, 1.0)),
    ("RMSprop(lr=0.01)", rmsprop(START, 0.01)),
    ("Adam(lr=0.01)", adam(START, 0.01)),
]


@pytest.mark.parametrize(("rule", "expected"), UPDATES, ids=[rule for rule, _ in UPDATES])
def test_published_update(rule: str, expected: Path_) -> None:
    graph = expand_gradients(
        program(f"""from std.optim import {rule.partition("(")[0]}
model Quadratic {{
  param p: f64[2]
  input A: f64[2, 2]
  input c: f64[2]
  d = p - c
  output E = 0.5 * sum(d * (A @ d))
  train {{ minimize E by {rule} }}
}}""")
        .train["train"]
        .step
    )
    state: dict[str, Any] = {p.path: np.zeros(2) for p in graph.parameters} | {"p": START}
    for number, point in zip(range(STEPS), expected, strict=False):
        given = {**graph.defaults, "step": number, "A": A, "c": C}
        inputs = {v.name: np.asarray(given[v.name], v.type.dtype.numpy) for v in graph.inputs}
        state.update(run(graph, inputs, state).updates)
        np.testing.assert_allclose(state["p"], point, rtol=1e-6, atol=1e-9)


def test_contrastive_divergence() -> None:
    """The slope of what models/rbm.nn minimises: <v h> of the data less <v h> of what was made of
    it (Hinton, 2002, equation 5)."""
    models = Path(__file__).resolve().parents[2] / "models"
    source = (models / "rbm.nn").read_text("utf-8").split('"""The machine, trained')[0]
    graph = program(
        source.split("nn 1\n")[1]
        + """
model M {
  input W: f64[4, 6]
  input b: f64[6]
  input c: f64[4]
  input v: f64[N, 6]
  input made: f64[N, 6]
  loss = mean(free_energy(v, W, b, c)) - mean(free_energy(made, W, b, c))
  (dW, db, dc) = grad(loss, [W, b, c])
  output dW, db, dc
}"""
    ).graph
    rng = np.random.default_rng(0)
    W, b, c = rng.normal(size=(4, 6)), rng.normal(size=6), rng.normal(size=4)
    v, made = (rng.integers(0, 2, (20, 6)).astype(float) for _ in range(2))
    given = {"W": W, "b": b, "c": c, "v": v, "made": made}
    found = run(expand_gradients(graph), given).outputs
    h, h_made = (1 / (1 + np.exp(-(x @ W.T + c))) for x in (v, made))
    np.testing.assert_allclose(found["dW"], -(h.T @ v - h_made.T @ made) / 20, atol=1e-12)
    np.testing.assert_allclose(found["db"], -(v - made).mean(0), atol=1e-12)
    np.testing.assert_allclose(found["dc"], -(h - h_made).mean(0), atol=1e-12)
