"""The NumPy backend trains: in float64 as PyTorch does, in float32 as onnxruntime does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nncomp.driver.compiling import compiled_step, initial_values
from nncomp.driver.learners import make_learner
from nncomp.driver.programs import load_program
from nncomp.source import SourceFile

STEPS = 50
LENET = """
from std import Conv, Linear
from std.optim import Adam

model LeNet {
  input image: f64[N, 1, 16, 16]
  logits = image
    |> Conv(4, 5, pad=2) as a |> tanh |> avg_pool(2)
    |> Conv(8, 3) as b |> relu |> max_pool(2)
    |> flatten |> Linear(20) as c |> tanh |> Linear(10) as d
  output logits
  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by Adam(lr=1e-3)
  }
}"""
NORMED = """
from std import BatchNorm, Conv, Linear
from std.optim import SGD

model Normed {
  input image: f64[N, 1, 16, 16]
  x = image |> Conv(6, 3, pad=1, stride=2, use_bias=false) as a |> BatchNorm() as b |> relu
  y = x |> Conv(6, 3, pad=1, use_bias=false) as c |> BatchNorm() as d
  logits = relu(x + y) |> global_avg_pool |> flatten |> Linear(10) as e
  output logits
  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by SGD(lr=0.05, momentum=0.9, weight_decay=1e-3)
  }
}"""


class Residual(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Conv2d(1, 6, 3, 2, 1, bias=False)
        self.b = torch.nn.BatchNorm2d(6)
        self.c = torch.nn.Conv2d(6, 6, 3, 1, 1, bias=False)
        self.d = torch.nn.BatchNorm2d(6)
        self.e = torch.nn.Linear(6, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.b(self.a(image)))
        y: torch.Tensor = self.e(torch.relu(x + self.d(self.c(x))).mean((2, 3)))
        return y


def lenet() -> torch.nn.Module:
    nn = torch.nn
    layers = [
        ("a", nn.Conv2d(1, 4, 5, padding=2)), ("1", nn.Tanh()), ("2", nn.AvgPool2d(2)),
        ("b", nn.Conv2d(4, 8, 3)), ("3", nn.ReLU()), ("4", nn.MaxPool2d(2)), ("5", nn.Flatten()),
        ("c", nn.Linear(72, 20)), ("6", nn.Tanh()), ("d", nn.Linear(20, 10)),
    ]  # fmt: skip
    network = nn.Sequential()
    for name, layer in layers:
        network.add_module(name, layer)
    return network


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3)


def momentum(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=1e-3)


NETWORKS = [
    pytest.param(LENET, lenet, adam, id="lenet"),
    pytest.param(NORMED, Residual, momentum, id="batch norm"),
]


def batches(count: int, dtype: type) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [
        {
            "image": rng.normal(size=(8, 1, 16, 16)).astype(dtype),
            "label": rng.integers(0, 10, 8),
        }
        for _ in range(count)
    ]


def learner(text: str, backend: str) -> tuple[Any, dict[str, Any]]:
    program = load_program(SourceFile("m.nn", text))
    state = initial_values(program, seed=3)
    return make_learner(compiled_step(program.train["train"]), state, backend=backend), state


@pytest.mark.parametrize(("text", "network", "optimizer"), NETWORKS)
def test_fifty_steps_in_float64_are_those_of_torch(
    text: str, network: Callable[[], torch.nn.Module], optimizer: Any
) -> None:
    ours, state = learner(text, "numpy")
    theirs = network().double()
    fitting = {
        path: torch.from_numpy(a) for path, a in state.items() if path in theirs.state_dict()
    }
    missing = theirs.load_state_dict(fitting, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing)
    taken = optimizer(theirs.parameters())
    for batch in batches(STEPS, np.float64):
        found = ours.step(batch)["loss"]
        taken.zero_grad()
        image, label = (torch.from_numpy(batch[name]) for name in ("image", "label"))
        loss = torch.nn.functional.cross_entropy(theirs(image), label)
        loss.backward()  # type: ignore[no-untyped-call]
        taken.step()
        assert abs(found - float(loss.detach())) <= 1e-9
    after = ours.state()
    for path in fitting:
        np.testing.assert_allclose(
            after[path], theirs.state_dict()[path].numpy(), rtol=0, atol=1e-9, err_msg=path
        )


@pytest.mark.parametrize("text", [LENET, NORMED], ids=["lenet", "batch norm"])
def test_the_first_steps_in_float32_are_those_of_onnxruntime(text: str) -> None:
    text = text.replace("f64", "f32")
    (ours, _), (theirs, _) = learner(text, "numpy"), learner(text, "onnx")
    for batch in batches(5, np.float32):
        a, b = (each.step(batch)["loss"] for each in (ours, theirs))
        assert abs(a - b) <= 1e-5 * max(1.0, abs(b))
    before, after = ours.state(), theirs.state()
    for path, array in after.items():
        scale = max(1e-3, float(np.abs(array).max()))
        assert np.abs(before[path] - array).max() <= 2e-4 * scale, path
