"""Penalties, constraints, dropped parts, limited gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from nncomp.driver.compiling import initial_values
from tests.lower.programs import failure, program
from tests.std.against_torch import check


def test_penalties() -> None:
    check("l1_penalty(x)", lambda x, _: x.abs().sum())
    check("l2_penalty([x, x[0]])", lambda x, _: x.square().sum() + x[0].square().sum())
    check(
        "global_norm([x, x[0]])",
        lambda x, _: torch.linalg.norm(torch.cat([x.flatten(), x[0].flatten()])),
    )


def test_units_keep_below_a_norm() -> None:
    def shortened(x: torch.Tensor, axes: tuple[int, int]) -> torch.Tensor:
        length = torch.linalg.vector_norm(x, dim=axes, keepdim=True)
        return x * torch.clamp(7 / length, max=1) + x * x

    check("max_norm(x, 7.0) + x * x", lambda x, _: shortened(x, (1, 2)))
    check("max_norm(x, 7.0, axis=1) + x * x", lambda x, _: shortened(x, (0, 2)))


def trained(text: str, steps: int, inputs: dict[str, Any]) -> dict[str, Any]:
    found = program(text)
    graph = expand_gradients(found.train["train"].step)
    state = initial_values(found, seed=2)
    for number in range(steps):
        scalars = {**graph.defaults, "step": number, "seed": 7}
        given = {
            v.name: np.asarray(scalars[v.name], v.type.dtype.numpy)
            for v in graph.inputs
            if v.name in scalars
        }
        state.update(run(graph, given | inputs, state).updates)
    return state


CONSTRAINED = """
from std import Linear
from std.optim import SGD
model M {
  input x: f32[N, 6]
  layer = Linear(4)
  y = layer(x)
  output y
  train {
    input target: f32[N, 4]
    penalty = 0.01 * l1_penalty(layer.params) + 0.001 * l2_penalty(layer.weight)
    minimize mse_loss(y, target) + penalty by SGD(lr=0.3)
    update layer.weight = max_norm(relu(layer.weight), 0.5)
  }
}"""


def test_constraints_hold_after_each_step() -> None:
    rng = np.random.default_rng(0)
    inputs = {
        "x": rng.normal(size=(20, 6)).astype(np.float32),
        "target": rng.normal(scale=3, size=(20, 4)).astype(np.float32),
    }
    for steps in (1, 5):
        w = trained(CONSTRAINED, steps, inputs)["layer.weight"]
        assert w.min() == 0
        lengths = np.linalg.norm(w, axis=1)
        assert lengths.max() <= 0.5 + 1e-6
        assert lengths.max() > 0.49


CLIPPED = """
from std.optim import Adam, SGD
model M {{
  input x: f64[5, 3]
  param weight: f64[4, 3] = normal()
  param bias: f64[4] = normal()
  y = tanh(x @ transpose(weight) + bias)
  output y
  train {{ minimize 30 * mean(square(y * y - 0.3)) + sum(bias ** 2) by {} }}
}}"""


@pytest.mark.parametrize(
    ("norm", "value", "optimizer"),
    [(1.5, None, "SGD"), (None, 0.2, "SGD"), (0.7, 0.5, "SGD"), (0.05, None, "Adam")],
)
def test_clipped_gradients_are_those_of_torch(
    norm: float | None, value: float | None, optimizer: str
) -> None:
    limits = ", ".join(f"{k}={v}" for k, v in (("norm", norm), ("value", value)) if v)
    text = CLIPPED.format(f"clipped({optimizer}(lr=0.01), {limits})")
    x = np.random.default_rng(0).standard_normal((5, 3))
    start = initial_values(program(text), seed=2)
    w, b = (torch.tensor(start[path], requires_grad=True) for path in ("weight", "bias"))
    theirs = getattr(torch.optim, optimizer)([w, b], lr=0.01)
    limited = 0
    for _ in range(50):
        theirs.zero_grad()
        y = torch.tanh(torch.from_numpy(x) @ w.T + b)
        (30 * (y * y - 0.3).square().mean() + (b**2).sum()).backward()
        if value is not None:
            torch.nn.utils.clip_grad_value_([w, b], value)
        if norm is not None:
            limited += float(torch.nn.utils.clip_grad_norm_([w, b], norm)) > norm
        theirs.step()
    assert norm is None or limited > 0
    state = trained(text, 50, {"x": x})
    assert np.abs(state["weight"] - w.detach().numpy()).max() <= 1e-9
    assert np.abs(state["bias"] - b.detach().numpy()).max() <= 1e-9


@pytest.mark.parametrize(
    ("optimizer", "code", "message"),
    [
        ("clipped(SGD(lr=0.1))", "NN0202", "`clipped` takes an optimizer, and a limit by name"),
        ("clipped(SGD(lr=0.1), norm=-1)", "NN0201", "the limit `norm` is a positive number"),
        ("clipped(SGD(lr=0.1), value=x)", "NN0201", "`value` is a positive number, this is f64"),
        ("clipped(3, norm=1.0)", "NN0201", "`clipped` takes an optimizer, this is the int 3"),
    ],
)
def test_limits_that_are_refused(optimizer: str, code: str, message: str) -> None:
    found = failure(CLIPPED.format(optimizer))
    assert found.code == code
    assert message in found.message


DROPPED = """
from std import DropConnect
from std.optim import SGD
model M {
  input x: f32[N, 6, 50]
  layer = DropConnect(3, p=0.25, init=constant(1.0), use_bias=false)
  output y = sum(layer(x)) + sum(stochastic_depth(x))
  train {
    metric depth = stochastic_depth(x, 0.25)
    metric channels = drop_channels(x, 0.25)
    metric weights = layer(x)
    metric same = stochastic_depth(x, 0.0)
    minimize sum(layer.weight) by SGD(lr=0.0)
  }
}"""


def test_dropped_samples_channels_and_weights() -> None:
    found = program(DROPPED)
    x = np.ones((4000, 6, 50), np.float32)
    section = found.train["train"]
    given = {"x": x, "step": np.array(3), "seed": np.array(5), "lr": np.array(0, np.float32)}
    state = initial_values(found)
    graph = expand_gradients(section.step)
    outputs = run(graph, {v.name: given[v.name] for v in graph.inputs}, state).outputs
    depth, channels = outputs["depth"], outputs["channels"]
    for array, axes in ((depth, (1, 2)), (channels, (2,))):
        kept = array.mean(axis=axes)
        np.testing.assert_array_equal(array.max(axis=axes), array.min(axis=axes))
        assert set(np.unique(array)) == {np.float32(0), np.float32(1 / 0.75)}
        assert abs(kept.mean() - 1) < 5 * np.sqrt(0.25 / 0.75 / kept.size)
    of_weights = np.unique(outputs["weights"].reshape(-1, 3), axis=0)
    assert len(of_weights) == 1  # one draw for the batch
    counts = of_weights * 0.75
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)
    assert (counts < 50).all()
    np.testing.assert_array_equal(outputs["same"], x)
    plain = run(section.evaluation, {"x": x}, state).outputs
    np.testing.assert_array_equal(plain["depth"], x)
    np.testing.assert_array_equal(plain["channels"], x)
    assert (plain["weights"] == 50).all()


LSUV = """
from std import Linear
model Deep(depth: int = 6) {
  input x: f32[N, 32]
  layers = [Linear(32, init=orthogonal(), bias_init=zero_init) for i in range(depth)]
  h = x
  for layer in layers { h = relu(layer(h)) }
  output y = h

  train lsuv {
    h = x
    for layer in layers {
      update layer.weight = unit_variance(layer.weight, layer(h))
      z = layer(h)
      h = relu(z)
    }
    metric last = variance(z)
  }
}"""


def test_layers_of_unit_variance() -> None:
    """LSUV (Mishkin, Matas, 2016) as a train section: one step of it, on one batch."""
    found = program(LSUV)
    x = np.random.default_rng(0).normal(scale=3, size=(500, 32)).astype(np.float32)
    state = initial_values(found)
    state.update(run(expand_gradients(found.train["lsuv"].step), {"x": x}, state).updates)
    h = x.astype(np.float64)
    for i in range(6):
        z = h @ state[f"layers.{i}.weight"].T.astype(np.float64)
        assert abs(z.var() - 1) < 1e-4
        h = np.maximum(z, 0)


def test_weights_keep_their_sign() -> None:
    check("sign_constrained(x, 1) + x * x", lambda x, _: torch.relu(x) + x * x)
    check("sign_constrained(x, -1)", lambda x, _: -torch.relu(-x))
    check(
        "sign_constrained(x, f64([1, -1, 1, -1, 1])[:, none])",
        lambda x, _: torch.where(x * torch.tensor([[1], [-1], [1], [-1], [1]]) > 0, x, 0.0),
    )
