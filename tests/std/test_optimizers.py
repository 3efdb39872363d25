"""Optimisers of the standard library against torch.optim, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from tests.lower.programs import program

STEPS = 50
TEXT = """from std.optim import {name}

model Quartic {{
  input x: f64[5, 3]
  param weight: f64[4, 3] = normal()
  param bias: f64[4] = normal()
  output y = tanh(x @ transpose(weight) + bias)
  train {{ minimize mean(square(y * y - 0.3)) + sum(bias ** 2) by {optimizer} }}
}}
"""

Make = Callable[[list[torch.Tensor]], torch.optim.Optimizer]
CASES: list[tuple[str, Make]] = [
    ("SGD(lr=0.1)", lambda p: torch.optim.SGD(p, lr=0.1)),
    ("SGD(lr=0.1, momentum=0.8)", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8)),
    (
        "SGD(lr=0.1, momentum=0.8, nesterov=true, weight_decay=0.02)",
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.02),
    ),
    (
        "SGD(lr=0.1, momentum=0.8, dampening=0.3)",
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, dampening=0.3),
    ),
    ("Momentum(lr=0.1)", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    ("Adam(lr=0.01)", lambda p: torch.optim.Adam(p, lr=0.01)),
    (
        "Adam(lr=0.01, beta1=0.5, beta2=0.9, eps=1e-4)",
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.9), eps=1e-4),
    ),
    (
        "Adam(lr=0.01, weight_decay=0.1)",
        lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    ),
    (
        "Adam(lr=0.05, beta2=0.9, amsgrad=true)",
        lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.9), amsgrad=True),
    ),
    ("AdamW(lr=0.01)", lambda p: torch.optim.AdamW(p, lr=0.01)),
    (
        "AdamW(lr=0.02, beta1=0.8, weight_decay=0.3)",
        lambda p: torch.optim.AdamW(p, lr=0.02, betas=(0.8, 0.999), weight_decay=0.3),
    ),
    (
        "AdamW(lr=0.05, beta2=0.8, amsgrad=true)",
        lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.9, 0.8), amsgrad=True),
    ),
    (
        "Adamax(lr=0.02, beta1=0.8, weight_decay=0.1)",
        lambda p: torch.optim.Adamax(p, lr=0.02, betas=(0.8, 0.999), weight_decay=0.1),
    ),
    (
        "NAdam(lr=0.02, momentum_decay=0.01, weight_decay=0.1)",
        lambda p: torch.optim.NAdam(p, lr=0.02, momentum_decay=0.01, weight_decay=0.1),
    ),
    (
        "NAdam(lr=0.02, weight_decay=0.1, decoupled=true)",
        lambda p: torch.optim.NAdam(p, lr=0.02, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    (
        "RAdam(lr=0.02, weight_decay=0.1)",
        lambda p: torch.optim.RAdam(p, lr=0.02, weight_decay=0.1),
    ),
    (
        "Adagrad(lr=0.1, weight_decay=0.1, start=0.5, eps=1e-6)",
        lambda p: torch.optim.Adagrad(
            p, lr=0.1, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-6
        ),
    ),
    (
        "Adadelta(lr=0.5, rho=0.8, weight_decay=0.1)",
        lambda p: torch.optim.Adadelta(p, lr=0.5, rho=0.8, weight_decay=0.1),
    ),
    ("Adamax(lr=0.02)", lambda p: torch.optim.Adamax(p, lr=0.02)),
    ("NAdam(lr=0.02)", lambda p: torch.optim.NAdam(p, lr=0.02)),
    ("RAdam(lr=0.02)", lambda p: torch.optim.RAdam(p, lr=0.02)),
    (
        "RAdam(lr=0.02, beta2=0.9)",
        lambda p: torch.optim.RAdam(p, lr=0.02, betas=(0.9, 0.9)),
    ),
    ("Adagrad(lr=0.1)", lambda p: torch.optim.Adagrad(p, lr=0.1)),
    ("Adagrad(lr=0.1, lr_decay=0.2)", lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.2)),
    ("Adadelta(lr=1.0)", lambda p: torch.optim.Adadelta(p, lr=1.0)),
    ("RMSprop(lr=0.01)", lambda p: torch.optim.RMSprop(p, lr=0.01)),
    (
        "RMSprop(lr=0.01, alpha=0.9, momentum=0.7, centered=true, weight_decay=0.1)",
        lambda p: torch.optim.RMSprop(
            p, lr=0.01, alpha=0.9, momentum=0.7, centered=True, weight_decay=0.1
        ),
    ),
    ("Rprop(lr=0.05)", lambda p: torch.optim.Rprop(p, lr=0.05)),
    (
        "Rprop(lr=0.05, shrink=0.3, grow=1.5, smallest=0.01, largest=0.2)",
        lambda p: torch.optim.Rprop(p, lr=0.05, etas=(0.3, 1.5), step_sizes=(0.01, 0.2)),
    ),
]


@pytest.fixture
def _doubles() -> Iterator[None]:
    """NAdam keeps the product of its momenta in PyTorch's default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_doubles")
@pytest.mark.parametrize(("optimizer", "make"), CASES, ids=[case[0] for case in CASES])
def test_fifty_steps_equal_torch(optimizer: str, make: Make) -> None:
    compiled = program(TEXT.format(optimizer=optimizer, name=optimizer.partition("(")[0]))
    graph = expand_gradients(compiled.train["train"].step)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3))
    state: dict[str, Any] = run(compiled.initial, {"seed": np.asarray(1)}).outputs
    weight, bias = (torch.tensor(state[path], requires_grad=True) for path in ("weight", "bias"))
    theirs = make([weight, bias])
    for number in range(STEPS):
        scalars = {
            v.name: np.asarray(number if v.name == "step" else graph.defaults[v.name])
            for v in graph.inputs
            if v.name in graph.defaults
        }
        given = {v.name: v.type.dtype.numpy for v in graph.inputs}
        inputs = {"x": x} | {name: a.astype(given[name]) for name, a in scalars.items()}
        state.update(run(graph, inputs, state).updates)
        theirs.zero_grad()
        y = torch.tanh(torch.from_numpy(x) @ weight.T + bias)
        loss = (y * y - 0.3).square().mean() + (bias**2).sum()
        loss.backward()
        theirs.step()
    assert np.abs(state["weight"] - weight.detach().numpy()).max() <= 1e-9
    assert np.abs(state["bias"] - bias.detach().numpy()).max() <= 1e-9


def test_lion_is_its_published_update() -> None:
    """Chen et al., 2023, algorithm 2; PyTorch has none."""
    text = TEXT.format(optimizer="Lion(lr=0.01, weight_decay=0.1)", name="Lion")
    graph = expand_gradients(program(text).train["train"].step)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3))
    state: dict[str, Any] = {"weight": rng.standard_normal((4, 3)), "bias": rng.standard_normal(4)}
    state |= {f"lion.{path}.m": np.zeros_like(value) for path, value in state.items()}
    assert set(state) == {p.path for p in graph.parameters}
    for number in range(STEPS):
        w, c = (torch.tensor(state[path], requires_grad=True) for path in ("weight", "bias"))
        y = torch.tanh(torch.from_numpy(x) @ w.T + c)
        ((y * y - 0.3).square().mean() + (c**2).sum()).backward()  # type: ignore[no-untyped-call]
        inputs = {"x": x, "step": np.asarray(number), "lr": np.asarray(0.01)}
        given = {v.name: inputs[v.name].astype(v.type.dtype.numpy) for v in graph.inputs}
        updates = run(graph, given, state).updates
        for path, leaf in (("weight", w), ("bias", c)):
            assert leaf.grad is not None
            p, g, m = state[path], leaf.grad.numpy(), state[f"lion.{path}.m"]
            rate = float(np.asarray(given["lr"]))
            wanted = p - rate * (np.sign(0.9 * m + 0.1 * g) + 0.1 * p)
            np.testing.assert_allclose(updates[path], wanted, rtol=0, atol=1e-9)
            moment = updates[f"lion.{path}.m"]
            np.testing.assert_allclose(moment, 0.99 * m + 0.01 * g, rtol=0, atol=1e-9)
        state.update(updates)


MUON = """from std.optim import Muon

model Pull {{
  input x: f64[1]
  param tall: f64[5, 3] = normal()
  param kernel: f64[2, 3, 4] = normal()
  param bias: f64[4] = normal()
  loss = sum(tanh(tall) ** 2) + sum(tanh(kernel) ** 2) + sum(tanh(bias) ** 2) + 0 * sum(x)
  train {{ minimize loss by {optimizer} }}
}}
"""


def muon_steps(optimizer: str, rate: float) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The state before and after each of ten steps."""
    compiled = program(MUON.format(optimizer=optimizer))
    graph = expand_gradients(compiled.train["train"].step)
    state: dict[str, Any] = run(compiled.initial, {"seed": np.asarray(1)}).outputs
    given = {v.name: v.type.dtype.numpy for v in graph.inputs}
    for number in range(10):
        inputs = {"x": np.zeros(1), "step": np.asarray(number), "lr": np.asarray(rate)}
        updates = run(graph, {name: inputs[name].astype(given[name]) for name in given}, state)
        yield state, state | updates.updates
        state = state | updates.updates


def slope(p: Any) -> Any:
    return 2 * np.tanh(p) / np.cosh(p) ** 2


def newton_schulz(d: Any) -> Any:
    """Five steps of the published polynomial, on the singular values alone."""
    u, s, v = np.linalg.svd(d.reshape(len(d), -1), full_matrices=False)
    s = s / np.sqrt((s**2).sum())
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    assert s.min() > 0.6
    assert s.max() < 1.25
    return ((u * s) @ v).reshape(d.shape)


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_its_published_update(nesterov: bool) -> None:
    """Jordan et al., 2024, in the sizes of Liu et al., 2025; vectors learn by Adam."""
    optimizer = f"Muon(lr=0.03, nesterov={str(nesterov).lower()}, weight_decay=0.1)"
    rate = float(np.float32(0.03))
    for t, (before, after) in enumerate(muon_steps(optimizer, 0.03), start=1):
        for path, longest in (("tall", 5), ("kernel", 12)):
            p, g = before[path], slope(before[path])
            m = 0.95 * before[f"muon.{path}.m"] + g
            d = newton_schulz(g + 0.95 * m if nesterov else m)
            wanted = p * (1 - rate * 0.1) - rate * 0.2 * np.sqrt(longest) * d
            np.testing.assert_allclose(after[path], wanted, rtol=0, atol=1e-7)
            np.testing.assert_allclose(after[f"muon.{path}.m"], m, rtol=0, atol=1e-12)
        p, g = before["bias"], slope(before["bias"])
        m, v = 0.9 * before["muon.bias.m"] + g, 0.999 * before["muon.bias.v"] + g * g
        ahead = 0.1 * m / (1 - 0.9**t) / (np.sqrt(0.001 * v / (1 - 0.999**t)) + 1e-8)
        wanted = p * (1 - rate * 0.1) - rate * ahead
        np.testing.assert_allclose(after["bias"], wanted, rtol=0, atol=1e-7)


def test_muon_goes_where_torch_goes() -> None:
    """Which multiplies in bfloat16: to a hundredth of the way."""
    found = list(muon_steps("Muon(lr=0.03)", 0.03))
    start, end = found[0][0]["tall"], found[-1][1]["tall"]
    leaf = torch.tensor(start, requires_grad=True)
    theirs = torch.optim.Muon([leaf], lr=0.03, weight_decay=0, adjust_lr_fn="match_rms_adamw")
    for _ in found:
        theirs.zero_grad()
        leaf.tanh().square().sum().backward()  # type: ignore[no-untyped-call]
        theirs.step()
    assert np.linalg.norm(leaf.detach().numpy() - end) <= 0.01 * np.linalg.norm(end - start)
