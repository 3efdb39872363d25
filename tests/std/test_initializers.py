"""The statistics of initial values: mean, deviation, limits, and what else defines them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

from nncomp.driver.compiling import initial_values
from tests.lower.programs import failure, program

FAN_IN, FAN_OUT = 300, 200
COUNT = FAN_IN * FAN_OUT


def weight(init: str, dtype: str = "f32") -> Any:
    text = f"""
from std import Linear
model M {{
  input x: {dtype}[N, {FAN_IN}]
  output y = x |> Linear({FAN_OUT}, init={init}) as layer
}}"""
    return initial_values(program(text), seed=1)["layer.weight"]


def uniform(bound: float) -> Any:
    return scipy.stats.uniform(-bound, 2 * bound)


def normal(std: float, mean: float = 0) -> Any:
    return scipy.stats.norm(mean, std)


BOTH = FAN_IN + FAN_OUT
DISTRIBUTIONS = [
    ("uniform(-0.3, 0.5)", scipy.stats.uniform(-0.3, 0.8)),
    ("normal(0.1, 0.02)", normal(0.02, 0.1)),
    ("he_uniform", uniform(math.sqrt(6 / FAN_IN))),
    ("he_normal", normal(math.sqrt(2 / FAN_IN))),
    ("he_normal_fan_out", normal(math.sqrt(2 / FAN_OUT))),
    ("xavier_uniform", uniform(math.sqrt(6 / BOTH))),
    ("xavier_normal", normal(math.sqrt(2 / BOTH))),
    ("partial(xavier_uniform, gain=5 / 3)", uniform(5 / 3 * math.sqrt(6 / BOTH))),
    ("partial(xavier_normal, gain=0.5)", normal(0.5 * math.sqrt(2 / BOTH))),
    ("lecun_uniform", uniform(1 / math.sqrt(FAN_IN))),
    ("lecun_normal", normal(1 / math.sqrt(FAN_IN))),
    ("unit_normal", normal(1)),
    ("embedding_normal", normal(1 / math.sqrt(FAN_OUT))),
    ("truncated_normal()", scipy.stats.truncnorm(-2, 2)),
    ("truncated_normal(0.02, 0.1)", scipy.stats.truncnorm(-2, 2, loc=0.1, scale=0.02)),
    ("truncated_normal(bound=0.5)", scipy.stats.truncnorm(-0.5, 0.5)),
    ("truncated_normal(bound=4.5)", scipy.stats.truncnorm(-4.5, 4.5)),
]


@pytest.mark.parametrize(("init", "wanted"), DISTRIBUTIONS, ids=[d[0] for d in DISTRIBUTIONS])
def test_numbers_are_of_their_distribution(init: str, wanted: Any) -> None:
    w = weight(init).astype(np.float64).ravel()
    assert w.size == COUNT
    assert abs(w.mean() - wanted.mean()) < 5 * wanted.std() / math.sqrt(COUNT)
    moment = float(wanted.moment(4)) if wanted.mean() == 0 else 3 * wanted.var() ** 2
    spread = math.sqrt((moment / wanted.var() ** 2 - 1) / COUNT)
    assert abs(w.var() / wanted.var() - 1) < 5 * spread
    low, high = wanted.support()
    assert w.min() >= low - 1e-6 * abs(low)
    assert w.max() <= high + 1e-6 * abs(high)
    assert scipy.stats.kstest(w, wanted.cdf).pvalue > 1e-4


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_truncated_normals_have_the_dtype_of_the_parameter(dtype: str) -> None:
    w = weight("truncated_normal(bound=1.5)", dtype)
    assert w.dtype == {"f32": np.float32, "f64": np.float64}[dtype]
    assert abs(w).max() <= 1.5


def test_deviation_of_what_is_drawn_in_two_ways() -> None:
    """Those of the library against those of PyTorch, on the same sizes."""
    theirs = torch.empty(FAN_OUT, FAN_IN)
    for ours, init in (
        ("he_uniform", torch.nn.init.kaiming_uniform_),
        ("he_normal", torch.nn.init.kaiming_normal_),
        ("xavier_uniform", torch.nn.init.xavier_uniform_),
        ("xavier_normal", torch.nn.init.xavier_normal_),
    ):
        init(theirs, **({"nonlinearity": "relu"} if ours.startswith("he") else {}))  # type: ignore
        assert abs(weight(ours).std() / float(theirs.std()) - 1) < 0.02


@pytest.mark.parametrize(("init", "value"), [("zero_init", 0), ("constant(-0.5)", -0.5)])
def test_constants(init: str, value: float) -> None:
    assert (weight(init) == value).all()


def test_the_identity() -> None:
    np.testing.assert_array_equal(weight("identity(gain=2)"), 2 * np.eye(FAN_OUT, FAN_IN))


@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal_rows(gain: float) -> None:
    w = weight(f"orthogonal(gain={gain})").astype(np.float64)
    np.testing.assert_allclose(w @ w.T, gain**2 * np.eye(FAN_OUT), atol=1e-5)
    assert abs(w.std() - gain / math.sqrt(FAN_IN)) < 0.01 * gain


def test_sparse_units() -> None:
    w = weight("sparse_normal(connections=15, std=0.5)")
    assert ((w != 0).sum(axis=1) == 15).all()
    drawn = w[w != 0]
    assert scipy.stats.kstest(drawn, normal(0.5).cdf).pvalue > 1e-4
    used = (w != 0).sum(axis=0)  # each input by 10 units on average: binomial
    assert abs(used.var() / (FAN_OUT * 0.05 * 0.95) - 1) < 5 * math.sqrt(2 / FAN_IN)


def test_layers_and_seeds_start_from_other_numbers() -> None:
    text = """
from std import Linear
model M {
  input x: f32[N, 16]
  output y = x |> Linear(16) as a |> Linear(16) as b
}"""
    found = [initial_values(program(text), seed=seed) for seed in (0, 1)]
    drawn = [values[f"{layer}.weight"] for values in found for layer in "ab"]
    assert len({array.tobytes() for array in drawn}) == 4
    again = initial_values(program(text), seed=1)
    np.testing.assert_array_equal(again["b.weight"], drawn[3])


@pytest.mark.parametrize(
    ("init", "code", "message"),
    [
        ("truncated_normal(bound=-1.0)", "NN0209", "the bound of a truncated normal is positive"),
        ("sparse_normal(connections=9)", "NN0209", "a unit has 4 inputs, not 9"),
        ("shaped(3)", "NN0202", "`shaped` takes a fn of a shape"),
        ("shaped(own, size=2)", "NN0202", "`own` has no argument `size`"),
        ("shaped(own)", "NN0307", "`own` is to give f32[8, 4], this is f32[4]"),
        ("partial(xavier_normal, gian=2)", "NN0202", "`xavier_normal` has no argument `gian`"),
    ],
)
def test_what_is_refused(init: str, code: str, message: str) -> None:
    found = failure(f"""
from std import Linear
fn own(shape: list) = zeros(shape[1:])
model M {{
  input x: f32[N, 4]
  output y = x |> Linear(8, init={init})
}}""")
    assert found.code == code
    assert message in found.message
