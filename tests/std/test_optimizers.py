"""Optimisers of the standard library against torch.optim, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from tests.lower.programs import program

STEPS = 50
TEXT = """from std.optim import Adam, Momentum, SGD

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
    ("Momentum(lr=0.1)", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    ("Adam(lr=0.01)", lambda p: torch.optim.Adam(p, lr=0.01)),
    (
        "Adam(lr=0.01, beta1=0.5, beta2=0.9, eps=1e-4)",
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.9), eps=1e-4),
    ),
]


@pytest.mark.parametrize(("optimizer", "make"), CASES, ids=[case[0] for case in CASES])
def test_fifty_steps_equal_torch(optimizer: str, make: Make) -> None:
    compiled = program(TEXT.format(optimizer=optimizer))
    graph = expand_gradients(compiled.train["train"].step)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3))
    state: dict[str, Any] = {
        p.path: np.zeros(p.value.type.static_shape)
        if p.kind == "state"
        else rng.standard_normal(p.value.type.static_shape)
        for p in graph.parameters
    }
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
