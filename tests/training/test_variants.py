"""Frozen parameters, moving averages, accumulated gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncomp
from nncomp.backends.ort.session import StepSession
from nncomp.cli import main
from nncomp.driver.compiling import compiled_step, initial_values
from nncomp.driver.learners import make_learner
from nncomp.driver.programs import load_program
from nncomp.errors import CompileError
from nncomp.lower.program import Program
from nncomp.source import SourceFile
from nncomp.training.averages import averaged
from nncomp.training.learner import Learner
from nncomp.training.trainer import BEST, LAST
from nncomp.training.variants import Variant
from nncomp.types import Array
from nncomp.weights import load_weights

MODEL = """
from std import BatchNorm, Linear
from std.optim import Adam, SGD

block Net()(x: float[N, D]) {
  return x |> Linear(5) as first |> NORM |> tanh |> Linear(1) as last
}

model M {
  input x: f32[N, 3]
  net = Net()
  y = net(x)
  output y
  train {
    input target: f32[N, 1]
    warm = minimum(float(step + 1) / 4, 1.0)
    minimize mse_loss(y, target) by Adam(lr=0.01 * warm)
  }
}
"""
GAN = """
from std import Linear
from std.optim import SGD

model Gan {
  G = Linear(2)
  D = Linear(1)
  entry sample {
    input z: f32[N, 3]
    output fake = G(z)
  }
  train {
    input real: f32[N, 2]
    fake = G(normal([N, 3]))
    minimize mean(D(fake)) - mean(D(real)) over D by SGD(lr=0.1)
    minimize -mean(D(fake)) over G by SGD(lr=0.1)
  }
}
"""


def program(norm: str = "tanh") -> Program:
    return load_program(SourceFile("m.nn", MODEL.replace("NORM", norm)))


def learner(
    variant: Variant, backend: str = "onnx", found: Program | None = None
) -> tuple[Learner, dict[str, Array]]:
    found = found or program()
    section = found.train["train"]
    step = variant.of(section.step)
    state = variant.state(step, initial_values(found, seed=3))
    compiled = compiled_step(replace(section, step=step))
    return make_learner(compiled, state, backend=backend), state


def samples(count: int) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 3)).astype(np.float32)
    return {"x": x, "target": np.sin(x[:, :1])}


def rows(batch: dict[str, Array], start: int, stop: int) -> dict[str, Array]:
    return {name: array[start:stop] for name, array in batch.items()}


@pytest.mark.parametrize("backend", ["onnx", "numpy"])
def test_accumulated_gradients_are_those_of_a_large_batch(backend: str) -> None:
    """The optimiser's own step, which schedules see, counts its actions."""
    large, _ = learner(Variant(), backend)
    small, state = learner(Variant(accumulate=4), backend)
    data = samples(16 * 6)
    for i in range(6):
        batch = rows(data, 16 * i, 16 * i + 16)
        large.step(batch)
        before = small.state()
        for j in range(4):
            small.step(rows(batch, 4 * j, 4 * j + 4))
            if j < 3:
                for path in ("net.first.weight", "adam.net.first.weight.m"):
                    np.testing.assert_array_equal(small.state()[path], before[path])
        expected, found = large.state(), small.state()
        for path, array in expected.items():
            np.testing.assert_allclose(found[path], array, rtol=2e-5, atol=1e-7)
    assert set(state) - set(large.state()) == {
        f"accumulated.net.{path}.gradient"
        for path in ("first.weight", "first.bias", "last.weight", "last.bias")
    }


def test_draws_differ_from_batch_to_batch_while_gradients_accumulate() -> None:
    text = MODEL.replace("y = net(x)", "y = net(x + normal([N, 3]))").replace("NORM", "tanh")
    found = load_program(SourceFile("m.nn", text))
    taken, _ = learner(Variant(accumulate=3), found=found)
    batch = samples(8)
    assert len({taken.step(batch)["loss"] for _ in range(3)}) == 3


TWO_LOSSES = """
from std import Linear
from std.optim import Adam, SGD

model Two {
  input x: f32[N, 3]
  first = Linear(2) as first
  second = Linear(1) as second
  hidden = first(x)
  train {
    input target: f32[N, 1]
    far = mse_loss(second(stop_gradient(hidden)), target)
    minimize mean(square(hidden - 1)) over first by Adam(lr=0.1)
    minimize far over second by SGD(lr=0.1)
    slow = copy(first)
    update slow.params = first.params
  }
}
"""


def test_losses_that_are_apart_accumulate_together() -> None:
    """Each as over one large batch; what is made of the next parameters waits with them."""
    found = load_program(SourceFile("two.nn", TWO_LOSSES))
    large, _ = learner(Variant(), found=found)
    small, _ = learner(Variant(accumulate=2), found=found)
    data = samples(32)
    for i in range(0, 32, 8):
        batch = rows(data, i, i + 8)
        large.step(batch)
        before = small.state()
        for j in (0, 4):
            small.step(rows(batch, j, j + 4))
            if not j:
                np.testing.assert_array_equal(small.state()["slow.weight"], before["first.weight"])
        for path, array in large.state().items():
            np.testing.assert_allclose(small.state()[path], array, rtol=2e-5, atol=1e-7)


def test_losses_of_changed_parameters_do_not_accumulate() -> None:
    step = load_program(SourceFile("gan.nn", GAN)).train["train"].step
    with pytest.raises(CompileError, match=r"NN0404.*this loss is of parameters that another"):
        Variant(accumulate=2).of(step)


@pytest.mark.parametrize("backend", ["onnx", "numpy"])
def test_averages_follow_the_parameters(backend: str) -> None:
    found, state = learner(Variant(average=0.9), backend)
    path = "net.first.weight"
    expected = state[path].astype(np.float64)
    data = samples(20)
    for i in range(5):
        found.step(rows(data, 4 * i, 4 * i + 4))
        expected = 0.9 * expected + 0.1 * found.state()[path]
    np.testing.assert_allclose(averaged(found.state())[path], expected, rtol=1e-5)
    plain, _ = learner(Variant(), backend)
    plain.restore(averaged(found.state()), 5)
    assert found.evaluate(data) == plain.evaluate(data)
    assert found.evaluate(data) != found.step(data)
    assert set(averaged(found.state())) == set(plain.state())


@pytest.mark.parametrize(
    ("patterns", "learnt"),
    [
        (("net.first",), {"net.last.weight", "net.last.bias"}),
        (("*.bias", "net.last.weight"), {"net.first.weight"}),
        (("net.[fl]*.weight",), {"net.first.bias", "net.last.bias"}),
    ],
)
def test_frozen_parameters_stay(patterns: tuple[str, ...], learnt: set[str]) -> None:
    found, _ = learner(Variant(freeze=patterns))
    before = found.state()
    for _ in range(3):
        found.step(samples(8))
    after = found.state()
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == learnt | {f"adam.{path}.{name}" for path in learnt for name in "mv"}


def test_frozen_layers_cost_nothing_on_the_way_back() -> None:
    section = program().train["train"]
    sizes = {}
    for freeze in ((), ("net.first",)):
        varied = Variant(freeze=freeze).of(section.step)
        step = compiled_step(replace(section, step=varied, evaluation=section.step))
        sizes[freeze] = len(step.step.nodes)
        states = {p.path for p in step.step.parameters if p.kind == "state"}
        assert ("adam.net.first.weight.m" in states) == (not freeze)
    assert sizes["net.first",] < 0.7 * sizes[()]


def test_frozen_statistics_stay() -> None:
    found, _ = learner(Variant(freeze=("net.batch_norm",)), found=program("BatchNorm()"))
    before = found.state()
    found.step(samples(8))
    for path in ("running_mean", "weight"):
        full = f"net.batch_norm.{path}"
        np.testing.assert_array_equal(found.state()[full], before[full])


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("net.frist",), "there is nothing to freeze of the name `net.frist`"),
        (("net",), "every parameter is frozen"),
    ],
)
def test_what_cannot_be_frozen(patterns: tuple[str, ...], message: str) -> None:
    with pytest.raises(CompileError, match=f"NN0403.*{message}") as failure:
        learner(Variant(freeze=patterns))
    if "frist" in message:
        assert failure.value.diagnostics[0].help == "did you mean `net.first`?"


def test_a_run_with_everything_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    (tmp_path / "m.nn").write_text(MODEL.replace("NORM", "BatchNorm()"))
    options: dict[str, Any] = {
        "freeze": ["net.last.bias"],
        "average": 0.95,
        "accumulate": 3,
        "batch_size": 8,
        "noise": 0.1,
    }
    data = samples(60)

    def run(folder: str, epochs: int, resume: bool = False) -> nncomp.Model:
        model = nncomp.load(tmp_path / "m.nn")
        model.train(data, tmp_path / folder, epochs=epochs, resume=resume, **options)
        return model

    whole, _ = run("whole", 5), run("run", 2)
    resumed = run("run", 5, resume=True)
    for name in (LAST, BEST):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    x = {"x": data["x"][:3]}
    np.testing.assert_array_equal(whole(**x)["y"], resumed(**x)["y"])
    best = load_weights(tmp_path / "whole" / BEST)
    assert not any(path.startswith("ema.") for path in best)
    np.testing.assert_array_equal(whole.parameters["net.first.weight"], best["net.first.weight"])
    again = nncomp.load(tmp_path / "m.nn", weights=tmp_path / "whole" / BEST)
    np.testing.assert_array_equal(again(**x)["y"], whole(**x)["y"])


def test_built_steps_learn_as_the_trained_ones_do(tmp_path: Path) -> None:
    """`build --train` with the same options: the files alone are enough."""
    (tmp_path / "m.nn").write_text(MODEL.replace("NORM", "BatchNorm()"))
    command = ["build", str(tmp_path / "m.nn"), "--train", "-o", str(tmp_path / "m.onnx")]
    command += ["--seed", "3", "--freeze", "net.first.bias", "--average", "0.9"]
    assert main([*command, "--accumulate", "3"]) == 0
    initial = load_weights(tmp_path / "m.init.safetensors")
    session = StepSession((tmp_path / "m.train.onnx").read_bytes(), initial)
    variant = Variant(("net.first.bias",), 0.9, 3)
    text = SourceFile("m.nn", MODEL.replace("NORM", "BatchNorm()"))
    wanted, state = learner(variant, found=load_program(text))
    assert set(session.manifest.state) == set(initial)
    assert "adam.net.first.bias.m" not in initial
    data = samples(8 * 6)
    for i in range(6):
        batch = rows(data, 8 * i, 8 * i + 8)
        assert session.step(batch)["loss"] == wanted.step(batch)["loss"]
    found, expected = session.state(), wanted.state()
    for path, array in found.items():
        np.testing.assert_array_equal(array, expected[path])
    np.testing.assert_array_equal(found["net.first.bias"], state["net.first.bias"])
    averages = averaged(found)
    assert not np.array_equal(averages["net.last.weight"], found["net.last.weight"])
