"""Optional inputs: a graph has them or it does not, and the program can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncomp
from nncomp.cli import main
from nncomp.errors import CompileError
from nncomp.lower.program import lower
from nncomp.source import SourceFile
from tests.lower.programs import operators, program

TEXT = """\
from std import Linear
from std.optim import SGD

model M {
  input x: f32[N, 4]
  input mask: bool[N, W]? = none
  net = Linear(2)
  y = net(x)
  if mask != none { y = y + (mean(mask, axis=1, keepdims=true) |> Linear(2) as gate) }
  output y

  entry half {
    input z: f32[K, 4]
    input scale: f32[]?
    output w = net(z) if scale == none else net(z) * scale
  }

  train {
    input target: f32[N, 2]
    input weight: f32[N]?
    error = mean(square(y - target), axis=1)
    minimize mean(error if weight == none else weight * error) by SGD(lr=0.1)
  }
}
"""
X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
MASK = np.array([[True, False], [True, True], [False, False]])
TARGET = np.ones((3, 2), np.float32)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.nn").write_text(TEXT)
    return tmp_path / "m.nn"


def test_graphs_are_with_or_without() -> None:
    without = program(TEXT)
    assert without.optional == ("mask", "scale", "weight")
    assert [v.name for v in without.graph.inputs] == ["x"]
    assert "gate" not in "".join(p.path for p in without.graph.parameters)
    assert [v.name for v in without.entries["half"].inputs] == ["z"]
    chosen = lower(SourceFile("test.nn", TEXT), wanted=["mask", "scale"])
    assert [v.name for v in chosen.graph.inputs] == ["x", "mask"]
    assert [v.name for v in chosen.entries["half"].inputs] == ["z", "scale"]
    assert operators(chosen.entries["half"])[-1] == "Mul"
    assert [v.name for v in chosen.train["train"].step.inputs][:3] == ["x", "mask", "target"]


def test_a_dim_of_an_input_that_is_not_there_has_no_value() -> None:
    text = "model M {\n  input m: f32[W]?\n  output y = zeros([W])\n}\n"
    with pytest.raises(CompileError, match=r"NN0103.*`W`"):
        program(text)
    assert str(lower(SourceFile("m.nn", text), wanted=["m"]).graph.outputs["y"].type) == "f32[W]"


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_a_run_has_the_inputs_that_it_is_given(path: Path, backend: Any) -> None:
    model = nncomp.load(path)
    plain = model.run({"x": X}, backend=backend)["y"]
    gated = model.run({"x": X, "mask": MASK}, backend=backend)["y"]
    weight, bias = (model.state[f"gate.{name}"] for name in ("weight", "bias"))
    expected = plain + MASK.mean(axis=1, keepdims=True) @ weight.T + bias
    np.testing.assert_allclose(gated, expected, rtol=1e-5)
    one, two = (
        model.run({"z": X, **more}, entry="half", backend=backend)["w"]
        for more in ({}, {"scale": 2.0})
    )
    np.testing.assert_array_equal(two, 2 * one)
    np.testing.assert_array_equal(model.run({"x": X}, backend=backend)["y"], plain)


def test_training_has_what_it_was_compiled_with(path: Path) -> None:
    model = nncomp.load(path, with_inputs=["weight", "mask"])
    step = model.training_step()
    assert list(step.inputs) == ["x", "mask", "target", "weight"]
    before = model.parameters["gate.weight"]
    batch = {"x": X, "mask": MASK, "target": TARGET}
    assert step(**batch, weight=np.zeros(3, np.float32))["loss"] == 0
    step(**batch, weight=np.ones(3, np.float32))
    assert (model.parameters["gate.weight"] != before).any()
    plain = nncomp.load(path)
    step = plain.training_step()
    plain(x=X, mask=MASK)  # brings a parameter that the step lacks
    step(x=X, target=TARGET)
    assert "gate.weight" in plain.state
    with pytest.raises(CompileError, match="NN0503"):
        step(**batch)


def test_the_commands(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "m.nn"]) == 0
    assert "with and without mask, with and without scale" in capsys.readouterr().out
    assert main(["build", "m.nn", "--with", "mask"]) == 0
    session = nncomp.load(path).session(given=["mask"])
    assert list(session.inputs) == ["x", "mask"]
    assert main(["inspect", "m.nn", "--with", "mask"]) == 0
    assert "gate" in capsys.readouterr().out
    np.save("x.npy", X)
    np.save("mask.npy", MASK)
    assert main(["run", "m.nn", "--input", "x=x.npy", "--input", "mask=mask.npy"]) == 0
    assert main(["run", "m.nn", "--input", "x=x.npy", "--with", "mask"]) == 1
    assert "the input `mask` is missing" in capsys.readouterr().err
    assert main(["build", "m.nn", "--with", "maks"]) == 1
    assert "did you mean `mask`?" in capsys.readouterr().err


def test_check_finds_what_is_wrong_with_an_optional_input(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(
        "model M {\n  input x: f32[N]\n  input m: f32[3, 3]?\n"
        "  output y = x if m == none else x @ m\n}\n"
    )
    assert main(["check", "m.nn"]) == 1
    assert "m.nn:4:34" in capsys.readouterr().err
