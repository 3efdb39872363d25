"""What an objective may say of an imported model: its losses, metrics, what is learnt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest

import nncomp
from nncomp import CompileError, Objective
from nncomp.cli import main
from nncomp.driver.running import Backend
from nncomp.types import Array
from tests.onnx_import.support import outputs_of


def model_of(
    outputs: Mapping[str, tuple[int, ...]], weights: Mapping[str, Array], path: Path, **nodes: Any
) -> Path:
    """x: f32[N, 4]; each output is x @ w of its name, or what `nodes` say."""
    made = [
        onnx.helper.make_node("MatMul", ["x", f"w_{name}"], [name])
        for name in outputs
        if name not in nodes
    ]
    made += nodes.values()
    tensor = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        made,
        "net",
        [onnx.helper.make_tensor_value_info("x", tensor, ["N", 4])],
        [onnx.helper.make_tensor_value_info(name, tensor, s) for name, s in outputs.items()],
        [onnx.numpy_helper.from_array(a, name) for name, a in weights.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def matrix(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.fixture
def two_heads(tmp_path: Path) -> Path:
    weights = {"w_hidden": matrix(4, 3), "w_out:0": matrix(4, 2)}
    return model_of({"hidden": (), "out:0": ()}, weights, tmp_path / "two.onnx")


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        ("mse(hidden)", {"target": "f32[N, 3]"}),
        ("cross_entropy(hidden, smoothing=0.1)", {"label": "i64[N]"}),
        ("cross_entropy(out_0, kind)", {"kind": "i64[N]"}),
        ("mse(hidden, goal) + 0.5 * cross_entropy(out_0, y)", {"goal": "f32[N, 3]", "y": "i64[N]"}),
        ("sum(square(hidden))", {}),
        ("mean(focal_loss(hidden, y))", {"y": "i64[N]"}),
    ],
)
def test_targets_follow_from_the_loss(loss: str, targets: dict[str, str], two_heads: Path) -> None:
    model = nncomp.load(two_heads, objective=loss)
    assert model.training_step().inputs == {"x": "f32[N, 4]", **targets}


def test_an_output_may_be_the_loss(tmp_path: Path) -> None:
    nodes = {"cost": onnx.helper.make_node("ReduceMean", ["h"], ["cost"], keepdims=0)}
    path = model_of({"h": (), "cost": ()}, {"w_h": matrix(4, 3)}, tmp_path / "m.onnx", **nodes)
    step = nncomp.load(path, objective="cost").training_step()
    first = step(x=matrix(2, 4))["loss"]
    assert step(x=matrix(2, 4))["loss"] < first


def test_metrics_take_operands_of_the_loss(two_heads: Path) -> None:
    metrics = ("accuracy", "top2 = top_k_accuracy(k=2)", "perplexity(cross_entropy(hidden, y))")
    model = nncomp.load(two_heads, objective=Objective("cross_entropy(hidden, y)", metrics))
    results = model.training_step()(x=matrix(2, 4), y=np.zeros(2, np.int64))
    assert set(results) == {"loss", "accuracy", "top2", "perplexity"}


def scaled(path: Path, mask: float = 0.0) -> Path:
    """x @ w * scale + mask, batch-normalised."""
    normalised = onnx.helper.make_node(
        "BatchNormalization", ["masked", "gamma", "beta", "mean", "variance"], ["y"]
    )
    nodes = {
        "h": onnx.helper.make_node("MatMul", ["x", "w"], ["h"]),
        "scaled": onnx.helper.make_node("Mul", ["h", "scale"], ["scaled"]),
        "masked": onnx.helper.make_node("Add", ["scaled", "mask"], ["masked"]),
        "y": normalised,
    }
    weights = {"w": matrix(4, 3), "scale": np.array(1.5, np.float32)}
    weights["mask"] = np.array([0, 0, mask], np.float32)
    weights |= {"gamma": matrix(3) + 3, "beta": matrix(3), "mean": matrix(3)}
    weights["variance"] = np.array([1, 2, 3], np.float32)
    return model_of({"y": ()}, weights, path, **nodes)


@pytest.mark.parametrize(
    ("trainable", "freeze", "learnt"),
    [
        ((), (), {"w", "mask", "gamma", "beta"}),
        ((), ("mask", "g*"), {"w", "beta"}),
        (("scale", "variance"), (), {"scale", "variance"}),
        (("*a",), (), {"gamma", "beta"}),
    ],
)
def test_what_is_learnt(
    trainable: tuple[str, ...], freeze: tuple[str, ...], learnt: set[str], tmp_path: Path
) -> None:
    path = scaled(tmp_path / "m.onnx")
    model = nncomp.load(path, objective=Objective("mse", trainable=trainable))
    before = model.state
    model.training_step(freeze=freeze)(x=matrix(5, 4), target=matrix(5, 3) * 3)
    after = model.state
    parameters = {p.path for p in model.graph.parameters}
    assert {n for n in parameters if not np.array_equal(before[n], after[n])} == learnt


def test_a_mask_is_not_learnt(tmp_path: Path) -> None:
    path = scaled(tmp_path / "m.onnx", mask=-np.inf)
    assert "mask" not in nncomp.load(path, objective="mse").parameters


def test_matrices_stored_twice_learn_as_one(tmp_path: Path) -> None:
    weights = {"w_h": matrix(4, 3)}
    weights["again"] = weights["w_h"].T.copy()
    nodes = {"y": onnx.helper.make_node("MatMul", ["h", "again"], ["y"])}
    path = model_of({"h": (), "y": ()}, weights, tmp_path / "m.onnx", **nodes)
    model = nncomp.load(path, objective="mse(y, x)")
    assert [d.message for d in model.program.warnings] == [
        "`again` is the transpose of `w_h`: they are learnt as one"
    ]
    data = {"x": matrix(40, 4)}
    built = model.train(data, tmp_path / "out", epochs=1, batch_size=8).built
    assert built is not None
    found = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(built).graph.initializer}
    assert not np.array_equal(found["w_h"], weights["w_h"])
    np.testing.assert_array_equal(found["again"], found["w_h"].T)


def test_data_beside_the_model_come_along(tmp_path: Path) -> None:
    """The fine-tuned model stands in another folder, without the files of the old one."""
    path = scaled(tmp_path / "m.onnx")
    whole = onnx.load(path)
    onnx.save(whole, path, save_as_external_data=True, location="m.data", size_threshold=0)
    built = nncomp.load(path, objective="mse").train(
        {"x": matrix(40, 4), "target": matrix(40, 3)}, tmp_path / "out", epochs=1
    )
    (tmp_path / "m.data").unlink()
    assert built.built is not None
    assert outputs_of(built.built, matrix(2, 4)).shape == (2, 3)


def test_numpy_takes_the_same_step(tmp_path: Path) -> None:
    path, states = scaled(tmp_path / "m.onnx"), []
    for backend in get_args(Backend):
        model = nncomp.load(path, objective="huber")
        model.training_step(backend=backend)(x=matrix(5, 4), target=matrix(5, 3))
        states.append(model.state)
    for name, array in states[0].items():
        np.testing.assert_allclose(array, states[1][name], rtol=1e-5)


@pytest.mark.parametrize(
    ("objective", "code", "text"),
    [
        (Objective("mse"), "NN0408", "2 outputs of the model could be what `mse_loss` is of"),
        (Objective("crossentropy"), "NN0408", "did you mean `cross_entropy`?"),
        (Objective("cross_entropy(hiden)"), "NN0103", "`hiden` is not defined"),
        (Objective("mse(hidden"), "NN0101", "--loss:1"),
        (Objective("accuracy(hidden)"), "NN0403", "the loss depends on no parameter"),
        (Objective("hidden"), "NN0402", "a loss must be a scalar, this is f32[N, 3]"),
        (Objective("cross_entropy(hidden, axis=2)"), "NN0408", "needs an axis of classes, 2"),
        (Objective("mse(hidden)", ("acuracy",)), "NN0408", "did you mean `accuracy`?"),
        (Objective("mse(hidden)", (), "adam(lr=1)"), "NN0103", "did you mean `Adam`?"),
        (Objective("mse(hidden)", (), "clipped(sgd(lr=1), norm=1)"), "NN0103", "mean `SGD`?"),
        (Objective("mse(hidden)", (), "Lookahead"), "NN0103", "known: `SGD`, `Momentum`"),
        (Objective("mse(hidden)", (), "Adam(lr=rate())"), "NN0103", "`rate` is not defined"),
        (Objective("mse(hidden)", (), "Adam"), "NN0201", "`Adam` lacks its hyperparameters"),
        (Objective("mse(hidden)", trainable=("w_hiden",)), "NN0403", "did you mean `w_hidden`?"),
    ],
)
def test_unclear_objectives(objective: Objective, code: str, text: str, two_heads: Path) -> None:
    with pytest.raises(CompileError) as caught:
        nncomp.load(two_heads, objective=objective)
    assert code in {d.code for d in caught.value.diagnostics}
    assert text in str(caught.value)


def test_commands_say_what_is_missing(
    two_heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", str(two_heads), "--train", "-o", str(tmp_path / "o.onnx")]) == 1
    assert "say what the model is to learn: `--loss cross_entropy`" in capsys.readouterr().err
    assert main(["build", str(two_heads), "--train", "--metric", "accuracy"]) == 1
    assert "error[NN0408]: --metric is for --loss" in capsys.readouterr().err
    (tmp_path / "m.nn").write_text("model M { input x: f32[N]\n output y = x }\n")
    assert main(["build", str(tmp_path / "m.nn"), "--train", "--loss", "mse"]) == 1
    assert "is no ONNX model" in capsys.readouterr().err
