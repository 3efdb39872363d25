"""models/rnn.nn, lstm.nn and gru.nn learn their tasks."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.driver.model import Model
from tests.models import support


@pytest.mark.parametrize("file", ["lstm.nn", "gru.nn"])
def test_the_adding_problem_is_learnt(file: str) -> None:
    """At a short length; predicting the mean gives an error of 1/6."""
    rng = np.random.default_rng(0)
    step = Model(support.MODELS / file, settings={"hidden": 32}).training_step()
    losses = []
    for _ in range(300):
        values = rng.uniform(size=(64, 8))
        marks = np.zeros_like(values)
        for row, first, second in zip(
            marks, rng.integers(0, 4, 64), rng.integers(4, 8, 64), strict=True
        ):
            row[[first, second]] = 1
        batch = {
            "x": np.stack([values, marks], 2).astype("f"),
            "target": (values * marks).sum(1, keepdims=True).astype("f"),
        }
        losses.append(step(**batch, lr=1e-2)["loss"])
    assert np.mean(losses[-20:]) < 0.03 < 0.1 < losses[0]


def test_the_parity_of_eight_bits_is_learnt() -> None:
    """From short strings to long ones: the same step takes any length."""
    bits = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype("f")
    rng = np.random.default_rng(0)
    step = Model(support.MODELS / "rnn.nn").training_step()
    length = 2
    for _ in range(60):
        accuracies = []
        for _ in range(50):
            x = bits[rng.integers(0, 256, 64), :length]
            label = x.sum(1).astype(np.int64) % 2
            accuracies.append(step(x=x[:, :, None], label=label, lr=5e-3)["accuracy"])
        if np.mean(accuracies[-20:]) == 1:
            length += 1
        if length > 8:
            break
    label = bits.sum(1).astype(np.int64) % 2
    assert step.evaluate(x=bits[:, :, None], label=label)["accuracy"] == 1
