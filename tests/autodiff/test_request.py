"""`nncomp.grad`: what it finds by name, what it gives on both backends, what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import nncomp
from nncomp.driver.differentiating import find_request, grad
from nncomp.lower.program import Program
from nncomp.types import Array
from tests.lower.programs import program
from tests.models import support

NET = """from std import Dropout, Linear
from std.optim import SGD

block Layer(width: int)(x: float[N, D]) {
  h = x |> Linear(width) as fc
  return tanh(h)
}

model Net {
  input x: f32[N, 5]
  y = x |> Layer(4) as first |> Layer(3) as second
  output y
  output energy = mean(square(y))
  train {
    input target: f32[N, 3]
    gap = y - target
    minimize mean(square(gap)) by SGD(lr=0.1)
  }
}
"""


@pytest.fixture(scope="module")
def net() -> Program:
    return program(NET)


def arrays(f: nncomp.GradientFunction, size: int) -> dict[str, Array]:
    rng = np.random.default_rng(size)
    return {
        v.name: rng.standard_normal([d if isinstance(d, int) else size for d in v.shape]).astype(
            "f"
        )
        for v in f.graph.inputs
    }


def both(f: nncomp.GradientFunction, given: dict[str, Array]) -> dict[str, Array]:
    """What onnxruntime gives, which NumPy gives too."""
    found = f(**given)
    for name, array in f.run(given, backend="numpy").items():
        assert support.difference(found[name], array) <= 1e-5, name
    return found


@pytest.mark.parametrize("level", [0, 1, 2])
def test_parameters_inputs_and_values_are_torchs(net: Program, level: int) -> None:
    wrt = ["x", "first", "second.fc.*", "second.h", "gap"]
    f = grad(net, wrt, level=level)
    for size in (1, 3, 7):
        given = arrays(f, size)
        found = both(f, given)
        t = {name: torch.tensor(a, requires_grad=True) for name, a in given.items()}

        def linear(x: torch.Tensor, path: str, t: dict[str, torch.Tensor] = t) -> torch.Tensor:
            return torch.nn.functional.linear(x, t[f"{path}.weight"], t[f"{path}.bias"])

        h = linear(torch.tanh(linear(t["x"], "first.fc")), "second.fc")
        gap = torch.tanh(h) - t["target"]
        loss = (gap * gap).mean()
        wanted = {
            "x": t["x"],
            "first.fc.weight": t["first.fc.weight"],
            "first.fc.bias": t["first.fc.bias"],
            "second.fc.weight": t["second.fc.weight"],
            "second.fc.bias": t["second.fc.bias"],
            "second.h": h,
            "gap": gap,
        }
        gradients = torch.autograd.grad(loss, list(wanted.values()))
        assert list(found) == ["loss", *(f"grad/{name}" for name in wanted)]
        for name, gradient in zip(wanted, gradients, strict=True):
            assert support.difference(found[f"grad/{name}"], gradient.numpy()) <= 1e-5, name


def test_all_learnt_parameters_unless_said_otherwise(net: Program) -> None:
    wrt = ["first.fc.weight", "first.fc.bias", "second.fc.weight", "second.fc.bias"]
    assert list(find_request(net).wrt) == wrt


def test_only_what_the_loss_needs_is_asked_for(net: Program) -> None:
    assert "target" not in grad(net, loss="energy").inputs
    f = grad(net, "first.fc.bias", loss="energy")
    assert list(f.graph.outputs) == ["energy", "grad/first.fc.bias"]


def test_what_the_loss_does_not_depend_on_gets_zeros() -> None:
    f = grad(
        program("model M {\n  input x: f32[N, 2]\n  input z: f32[N]\n  output y = sum(x)\n}\n"), "z"
    )
    found = f(x=np.ones((3, 2), np.float32))
    np.testing.assert_array_equal(found["grad/z"], np.zeros(3, np.float32))


def test_a_graph_and_its_values() -> None:
    graph = program(
        "model M {\n  input x: f32[N]\n  h = exp(x)\n  output y = sum(h * h)\n}\n"
    ).graph
    found = grad(graph, "h")(x=np.zeros(2, np.float32))
    np.testing.assert_allclose(found["grad/h"], [2, 2])


def test_dropout_has_one_mask() -> None:
    text = NET.replace("tanh(h)", "tanh(h) |> Dropout(0.5) as drop")
    f = grad(program(text), "second.fc.bias")
    assert {"step", "seed"} <= set(f.inputs)
    given = {n: a for n, a in arrays(f, 7).items() if n not in ("step", "seed")}
    both(f, given)
    again = f.run({**given, "step": np.int64(5)})
    assert (
        support.difference(again["grad/second.fc.bias"], f(**given)["grad/second.fc.bias"]) > 1e-3
    )


def test_a_model_knows_its_parameters(tmp_path: Path) -> None:
    model = nncomp.load(support.MODELS / "mlp.nn", widths=[16])
    f = nncomp.grad(model, wrt="head")
    batch = {"x": np.ones((2, 64), np.float32), "label": np.array([1, 2])}
    before = f(**batch)
    step = model.training_step(backend="numpy")
    step(**batch, lr=0.1)
    assert f(**batch)["loss"] != before["loss"]
    f.build(tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size > 0


REFUSED = [
    ({"wrt": "first.fc.weihgt"}, "NN0406", "did you mean `first.fc.weight`"),
    ({"wrt": "frist"}, "NN0406", "did you mean `first`"),
    ({"wrt": "h"}, "NN0406", "`first.h`, `second.h`"),
    ({"wrt": "conv*"}, "NN0406", "no parameter, input or value `conv*`"),
    ({"loss": "enrgy"}, "NN0406", "did you mean `energy`"),
    ({"loss": "y"}, "NN0402", "f32[N, 3]"),
    ({"section": "other"}, "NN0403", "train"),
]


@pytest.mark.parametrize(("asked", "code", "words"), REFUSED, ids=str)
def test_refusals(net: Program, asked: dict[str, str], code: str, words: str) -> None:
    with pytest.raises(nncomp.CompileError) as caught:
        grad(net, **asked)  # type: ignore[arg-type]
    assert caught.value.diagnostics[0].code == code
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("statements", "wrt", "words"),
    [
        ("output a = sum(x)\n  output b = mean(x)", "x", "`a`, `b`"),
        ("output a = x", "x", "no output is the loss"),
        ("output a = sum(x)", None, "no parameter"),
    ],
)
def test_no_loss_or_nothing_to_differentiate_by(
    statements: str, wrt: str | None, words: str
) -> None:
    with pytest.raises(nncomp.CompileError, match="NN0406") as caught:
        grad(program(f"model M {{\n  input x: f32[N]\n  {statements}\n}}\n"), wrt)
    assert words in str(caught.value)


def test_a_block_of_buffers_only_is_not_taken_for_a_misspelt_name() -> None:
    text = "block B()(x: float[N, D]) {\n  buffer b: f32[D] = ones()\n  return x * b\n}\n"
    text += "model M {\n  input x: f32[N, 4]\n  h = x |> B() as vq\n  output loss = sum(h)\n}\n"
    with pytest.raises(nncomp.CompileError, match="only buffers") as caught:
        grad(program(text), "vq")
    assert caught.value.diagnostics[0].help == "a buffer is meant by its own name: `vq.b`"
    assert "grad/vq.b" in grad(program(text), "vq.b").graph.outputs
