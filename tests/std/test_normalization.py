"""Batch norm in both modes and its statistics, beside PyTorch's; dropout by its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from nncomp.driver.compiling import initial_values
from tests.lower.programs import program

BATCHES = [np.random.default_rng(i).normal(i, 1 + i, (20, 6)).astype(np.float32) for i in range(4)]


def text(block: str) -> str:
    name = block.partition("(")[0]
    return f"""
from std import {name}, SGD
model M {{
  input x: f32[N, 6]
  param scale: f32[] = 1
  output y = scale * x |> {block} as layer
  train {{
    metric same = mean(y)
    minimize mean(y) by SGD(lr=0.0)
  }}
}}""".replace("scale * x |>", "(scale * x) |>")


@pytest.mark.parametrize(("argument", "momentum"), [("0.3", 0.3), ("none", None)])
def test_batch_norm_in_both_modes(argument: str, momentum: float | None) -> None:
    """The batch's own statistics while training; at inference the averages so far."""
    found = program(text(f"BatchNorm(momentum={argument})"))
    step, state = expand_gradients(found.train["train"].step), initial_values(found)
    theirs = torch.nn.BatchNorm1d(6, momentum=momentum)
    for batch in BATCHES:
        given = _given(step, batch)
        results = run(step, given, state)
        expected = theirs(torch.from_numpy(batch)).detach().numpy()
        assert abs(results.outputs["same"] - expected.mean()) < 1e-6
        state.update(results.updates)
    theirs.eval()
    y = run(found.graph, {"x": BATCHES[0]}, state).outputs["y"]
    expected = theirs(torch.from_numpy(BATCHES[0])).detach().numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_statistics_of_the_whole_training_set() -> None:
    """An epoch at a rate of 0 leaves the means over all batches (Ioffe, Szegedy, 2015, algorithm
    2), whatever averages training has left; the counter of batches starts at 0."""
    found = program(text("BatchNorm(momentum=none)"))
    step, state = expand_gradients(found.train["train"].step), initial_values(found)
    state["layer.running_mean"] = np.full(6, 100, np.float32)
    for batch in BATCHES:
        state.update(run(step, _given(step, batch), state).updates)
    mean = np.mean([batch.mean(0) for batch in BATCHES], axis=0)
    variance = np.mean([batch.var(0, ddof=1) for batch in BATCHES], axis=0)
    np.testing.assert_allclose(state["layer.running_mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(state["layer.running_var"], variance, rtol=1e-5)


def test_dropout() -> None:
    """x / (1 - p) or 0 while training, each with its probability; x at inference."""
    found = program(text("Dropout(0.25)").replace("metric same = mean(y)", "metric same = y"))
    step, state = expand_gradients(found.train["train"].step), initial_values(found)
    x = np.ones((5000, 6), np.float32)
    y = run(step, _given(step, x), state).outputs["same"]
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / y.size)
    np.testing.assert_array_equal(run(found.graph, {"x": x}, state).outputs["y"], x)


def _given(step: Any, x: Any) -> dict[str, Any]:
    numbers = {**step.defaults, "x": x, "step": 3, "seed": 7}
    return {v.name: np.asarray(numbers[v.name], v.type.dtype.numpy) for v in step.inputs}
