"""The library's schedules beside PyTorch's, and those of `nncomp train --schedule`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nncomp.backends.reference.interpreter import run
from nncomp.errors import CompileError
from nncomp.training.schedules import factor
from tests.lower.programs import program

STEPS = 20
torch_rates = torch.optim.lr_scheduler


def factors(expression: str, count: int = STEPS + 3) -> list[float]:
    graph = program(f"model M {{\n  input step: i64[]\n  output y = {expression}\n}}\n").graph
    return [float(run(graph, {"step": np.array(i)}).outputs["y"]) for i in range(count)]


def of_torch(make: Callable[[Any], Any], count: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize(
    ("expression", "make"),
    [
        ("cosine_decay(step, 20)", lambda o: torch_rates.CosineAnnealingLR(o, STEPS)),
        (
            "cosine_decay(step, 20, end=0.1)",
            lambda o: torch_rates.CosineAnnealingLR(o, STEPS, eta_min=0.1),
        ),
        ("linear_decay(step, 20, end=0.2)", lambda o: torch_rates.LinearLR(o, 1.0, 0.2, STEPS)),
        ("linear_warmup(step, 5)", lambda o: torch_rates.LinearLR(o, 0.2, 1.0, 4)),
        (
            "polynomial_decay(step, 20, power=2.0)",
            lambda o: torch_rates.PolynomialLR(o, STEPS, power=2.0),
        ),
        ("step_decay(step, 6, 0.5)", lambda o: torch_rates.StepLR(o, 6, 0.5)),
        ("exponential_decay(step, 1, 0.9)", lambda o: torch_rates.ExponentialLR(o, 0.9)),
        ("one_cycle(step, 20)", lambda o: torch_rates.OneCycleLR(o, 1.0, total_steps=STEPS)),
        (
            "inverse_sqrt_decay(step, 4)",
            lambda o: torch_rates.LambdaLR(
                o, lambda i: 2 * min((i + 1) ** -0.5, (i + 1) * 4**-1.5)
            ),
        ),
    ],
)
def test_schedules_are_those_of_torch(expression: str, make: Callable[[Any], Any]) -> None:
    np.testing.assert_allclose(
        factors(expression, STEPS), of_torch(make, STEPS), rtol=2e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("constant", "linear_decay(step, 20, WARM, end=1.0)"),
        ("linear", "linear_decay(step, 20, WARM)"),
        ("cosine", "cosine_decay(step, 20, WARM)"),
        ("exponential", "exponential_decay(step, 20 - WARM, 0.01, WARM)"),
        ("one-cycle", "one_cycle(step, 20)"),
    ],
)
@pytest.mark.parametrize("warm", [0, 5])
def test_the_trainers_schedules_are_the_library_s(name: Any, expression: str, warm: int) -> None:
    if name == "one-cycle" and warm:
        expression = f"where(step < {warm}, linear_warmup(step, {warm}), one_cycle(step, 20))"
    expected = factors(expression.replace("WARM", f"{warm}"), STEPS)
    found = [factor(name, i, STEPS, warm) for i in range(STEPS)]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def test_steps_of_the_trainer_s_schedule_share_the_run() -> None:
    found = [factor("step", i, 23, 2) for i in range(23)]
    np.testing.assert_allclose(found, [0.5, 1, *[1] * 7, *[0.1] * 7, *[0.01] * 7])
    np.testing.assert_allclose(found[2:], factors("step_decay(step, 7)", 21), rtol=1e-6)


def test_a_run_is_longer_than_its_warmup() -> None:
    with pytest.raises(CompileError, match="a run of 4 steps is no longer than its warm-up of 4"):
        factors("cosine_decay(step, 4, warmup=4)")
