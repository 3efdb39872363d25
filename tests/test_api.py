"""The Python API: load, call, train, build."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncomp
from nncomp.dims import new_dim
from nncomp.driver.compiling import state_of
from nncomp.training.data import batches, load_data
from nncomp.types import DType, TensorType
from nncomp.weights import save_weights

MODELS = Path(__file__).resolve().parent.parent / "models"


def mlp(**settings: object) -> nncomp.Model:
    return nncomp.load(MODELS / "mlp.nn", **{"widths": [16], **settings})


def few() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(20, 64)).astype(np.float32), "label": np.arange(20) % 10}


def test_a_model_runs() -> None:
    model = nncomp.load(MODELS / "lenet5.nn", classes=7)
    assert model.inputs == {"image": "f32[N, 1, 28, 28]"}
    x = np.zeros((3, 1, 28, 28), np.float32)
    logits = model(image=x)["logits"]
    assert logits.shape == (3, 7)
    numpy = model.run({"image": x}, backend="numpy")["logits"]
    np.testing.assert_allclose(logits, numpy, atol=1e-6)
    with pytest.raises(nncomp.CompileError, match="NN0503"):
        model(image=x[:, :, :9])


def test_a_model_says_what_it_is() -> None:
    model = nncomp.load(MODELS / "lenet5.nn")
    assert model.outputs == {"logits": "f32[N, 10]"}
    assert repr(model) == "<nncomp.Model LeNet5(image: f32[N, 1, 28, 28]) -> logits: f32[N, 10]>"
    step = model.training_step()
    assert repr(step).startswith("<nncomp.TrainingStep (image: f32[N, 1, 28, 28], label: i64[N]")
    assert repr(step).endswith(", 0 taken>")
    gradient = nncomp.grad(model, wrt=["image"])
    assert repr(gradient) == "<nncomp.GradientFunction of loss, grad/image>"


def test_training_changes_the_model(tmp_path: Path) -> None:
    model = mlp(batch_norm=True)
    n = new_dim("N")
    inputs = {"x": TensorType(DType.F32, (n, 64)), "label": TensorType(DType.I64, (n,))}
    data = load_data("sklearn:digits", inputs)
    x = data.test["x"]
    before = model(x=x)["logits"]
    step = model.training_step()
    assert step.inputs == {"x": "f32[N, 64]", "label": "i64[N]"}
    results = [step(**batch) for batch in batches(data.train, 64)]
    assert results[-1]["loss"] < results[0]["loss"]
    assert step.steps == len(results)
    after = model(x=x)["logits"]
    assert np.abs(after - before).max() > 0.1
    accuracy = np.mean(after.argmax(1) == data.test["label"])
    assert step.evaluate(**data.test)["accuracy"] == pytest.approx(accuracy)

    model.save(tmp_path / "w.safetensors")
    again = nncomp.load(
        MODELS / "mlp.nn", weights=tmp_path / "w.safetensors", widths=[16], batch_norm=True
    )
    np.testing.assert_array_equal(again(x=x)["logits"], after)
    model.build(tmp_path / "m.onnx")
    again.build(tmp_path / "n.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == (tmp_path / "n.onnx").read_bytes()


def test_a_learning_rate_holds_until_the_next() -> None:
    model = mlp()
    step = model.training_step(backend="numpy")
    assert step.hyperparameters == {"lr": pytest.approx(1e-3)}
    batch = {"x": np.ones((2, 64), np.float32), "label": np.array([1, 2])}
    step(**batch, lr=0.0)
    before = model.parameters
    step(**batch)
    for path, array in model.parameters.items():
        np.testing.assert_array_equal(array, before[path])


def test_a_step_refuses_what_it_cannot_learn_from() -> None:
    step = mlp().training_step()
    x = np.ones((2, 64), np.float32)
    with pytest.raises(nncomp.CompileError, match=r"NN0503.*`x` is empty"):
        step(x=x[:0], label=np.zeros(0, np.int64))
    with pytest.raises(nncomp.CompileError, match="class numbers go from 0"):
        step(x=x, label=np.array([1, 300]))
    assert np.isfinite(step(x=x, label=np.array([1, 2]))["loss"])


def test_what_build_gives_fits_on_a_screen(tmp_path: Path) -> None:
    assert len(repr(mlp().build(tmp_path / "m.onnx"))) < 400


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_inputs_too_small_for_what_the_model_does(backend: Any) -> None:
    model = nncomp.load(MODELS / "music.nn", bins=5)
    for frames, left in ((3, "T - 3 is 0"), (1, "T - 3 is -2"), (5, "is -2")):
        with pytest.raises(nncomp.CompileError, match="the inputs are too small") as found:
            model.run({"x": np.zeros((2, 5, frames), np.float32)}, backend=backend)
        assert f"T = {frames} leaves nothing of axis 2" in str(found.value)
        assert left in str(found.value)
        assert "music.nn:15" in str(found.value)
    with pytest.raises(nncomp.CompileError, match=r"NN0503.*`x`"):  # not what it is about
        model.run({"x": np.zeros((2, 3), np.float32)}, backend=backend)
    assert model.run({"x": np.zeros((2, 5, 13), np.float32)}, backend=backend)["y"].shape == (2, 6)


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    model: Any = mlp()  # what a type checker would not let through
    gradient: Any = nncomp.grad(model)
    x = np.zeros((2, 64), np.float32)
    masked = np.ma.masked_array(x, [[False], [True]] * np.ones((1, 64), bool))
    asked: dict[str, Callable[[], object]] = {
        "NN0503]: inputs are given by their names": lambda: model(x),
        "help: `(x=…, label=…)`": lambda: gradient(x),
        "NN0503]: inputs are given by": lambda: model.training_step()(x, x),
        "`backend` is 'onnx' or 'numpy', not 'torch'": lambda: model.run({}, backend="torch"),
        "`device` is 'cpu' or 'cuda', not 'gpu'": lambda: model.run({}, device="gpu"),
        "not 'tpu'": lambda: gradient.run({}, device="tpu"),
        "not 'tf'": lambda: model.training_step(backend="tf"),
        "`level` is 0, 1, 2 or 3, not 9": lambda: model.run({}, level=9),
        "`dtype` is 'float32' or 'float16'": lambda: model.build(tmp_path / "m.onnx", dtype="f8"),
        "`quantize` is None or 'int8'": lambda: model.build(tmp_path / "m.onnx", quantize="int4"),
        "`precision` is": lambda: model.training_step(precision="float16"),
        "no option `epoch`": lambda: model.train("sklearn:digits", tmp_path, epoch=1),
        "`epochs` is a whole number from 1 on, not 0": lambda: model.train({}, tmp_path, epochs=0),
        "`batch_size` is": lambda: model.train({}, tmp_path, batch_size="64"),
        "`schedule` is": lambda: model.train({}, tmp_path, schedule="cos"),
        "`noise` is a number from 0 on": lambda: model.train({}, tmp_path, noise=float("nan")),
        "`flip` is True or False": lambda: model.train({}, tmp_path, flip="no"),
        "`seed` is a whole number": lambda: model.train({}, tmp_path, seed=1.5),
        "`lr` is a number from 0 on, not -1": lambda: model.train(few(), tmp_path, lr=-1),
        "`average` is a number from 0 on, below 1": lambda: model.training_step(average=1.5),
        "`accumulate` is a whole number": lambda: model.training_step(accumulate=0),
        "`freeze` is a list of names": lambda: model.training_step(freeze=3),
        "nothing to freeze of the name `body`": lambda: model.training_step(freeze="body"),
        "`threads` is": lambda: model.training_step(threads=0),
        "`memory_budget` is": lambda: model.train(few(), tmp_path, memory_budget=0),
        "`split` is three shares": lambda: model.train(few(), tmp_path, split=(1, 2)),
        "`split` leaves nothing to train": lambda: model.train(few(), tmp_path, split=(0, 1, 1)),
        "`steps` is of an epoch of batches": lambda: model.train(few(), tmp_path, steps=3),
        "`steps` is a whole": lambda: model.train([(x, x)], tmp_path, steps=0),
        "no data is None": lambda: model.train(None, tmp_path),
        "no data is of the type `int`": lambda: model.train(3, tmp_path),
        "no samples to validate are of": lambda: model.train([], tmp_path, validation=[x]),
        "samples are one mapping, {'x': …, 'label': …}": lambda: model.train((x, x), tmp_path),
        "data is arrays by name, and 3": lambda: model.train({3: x}, tmp_path),
        "`x` in the data is no array": lambda: model.train({"x": [[1], [2, 3]]}, tmp_path),
        "`x[1]` of the data is masked": lambda: model.train({**few(), "x": masked}, tmp_path),
        "the batches of epoch 1 are no iterable": lambda: model.train(lambda epoch: 3, tmp_path),
    }
    for says, ask in asked.items():
        with pytest.raises(nncomp.CompileError, match=re.escape(says)):
            ask()


def test_what_is_of_the_training_step_is_not_asked_without_it(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "memory_budget": 10**6,
        "sizes": {"N": 4},
        "target": "onnxruntime-cpu",
        "batch_size": 4,
        "freeze": "head",
        "average": 0.9,
        "accumulate": 2,
        "trainable": ["head"],
        "precision": "mixed",
    }
    for name, value in asked.items():
        with pytest.raises(nncomp.CompileError, match=f"NN0202.*`{name}` is for the training step"):
            mlp().build(tmp_path / "m.onnx", **{name: value})
    assert not list(tmp_path.iterdir())


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    """They are written into the log and the checkpoint, too."""
    options: Any = {"epochs": np.int64(1), "batch_size": np.int32(8), "lr": np.float32(0.5)}
    trained = mlp().train(few(), tmp_path / "run", seed=np.int64(3), split=(70, 10, 20), **options)
    assert trained.outcome.best_epoch == 1
    mlp().build(tmp_path / "m.onnx", train=True, batch_size=np.int64(4))


def test_data_is_a_path(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", **few())
    trained = mlp().train(tmp_path / "few.npz", tmp_path / "run", epochs=1)
    assert trained.outcome.best_epoch == 1


def test_parameters_are_copies() -> None:
    model = mlp()
    model.parameters["head.weight"][:] = np.nan
    assert np.isfinite(model.parameters["head.weight"]).all()


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again, other = (nncomp.load(MODELS / "mlp.nn", seed=s) for s in (1, 1, 2))
    path = "linear.0.weight"
    np.testing.assert_array_equal(first.parameters[path], again.parameters[path])
    assert not np.array_equal(first.parameters[path], other.parameters[path])


def test_what_is_exported() -> None:
    assert set(nncomp.__all__) <= set(dir(nncomp))
    for name in nncomp.__all__:
        assert getattr(nncomp, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'compile'"):
        nncomp.compile  # noqa: B018


def test_states_of_an_optimiser_that_was_chosen_are_no_weights(tmp_path: Path) -> None:
    """Their paths begin with the list that the optimiser stands in."""
    (tmp_path / "m.nn").write_text(
        """
from std import Adam, Linear, SGD
model M(which: int = 1) {
  input x: f32[N, 3]
  output y = x |> Linear(2)
  train {
    rules = [SGD(lr=0.1), Adam(lr=0.1)]
    minimize mean(y) by rules[which]
  }
}""",
        encoding="utf-8",
    )
    model = nncomp.load(tmp_path / "m.nn")
    model.training_step()(x=np.ones((4, 3), np.float32))
    assert "rules.1.linear.weight.m" in model.state
    save_weights(tmp_path / "w.safetensors", model.state)
    for which in (0, 1):
        other = nncomp.load(tmp_path / "m.nn", which=which).program
        weights = state_of(other, tmp_path / "w.safetensors", training=False)
        np.testing.assert_array_equal(weights["linear.weight"], model.state["linear.weight"])
