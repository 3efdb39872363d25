"""Imported models learn: as PyTorch does with the network that was exported."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import nncomp
from nncomp import CompileError, Objective
from nncomp.cli import main
from nncomp.driver.running import Backend
from nncomp.types import Array
from nncomp.weights import load_weights
from tests.onnx_import.networks import Text
from tests.onnx_import.test_torch import export

STEPS = 20
BACKENDS: tuple[Backend, ...] = ("onnx", "numpy")
Batch = tuple[Tensor, Tensor]


class Pictures(nn.Module):
    """Two convolutions, each normalised, a mean and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 8, 3, stride=2), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Any:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.head(x.mean((2, 3)))

    def fused(self) -> Pictures:
        """What exporters make of it: convolutions that hold the normalisation."""
        other = copy.deepcopy(self)
        for number in (1, 2):
            conv, norm = getattr(other, f"conv{number}"), getattr(other, f"bn{number}")
            setattr(other, f"conv{number}", fuse_conv_bn_eval(conv, norm))
            setattr(other, f"bn{number}", nn.Identity())
        return other


def trained(network: nn.Module) -> nn.Module:
    """The network with all numbers different, as after a training: exporters make those that are
    equal one."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in [*network.parameters(), *network.buffers()]:
            if tensor.is_floating_point():
                tensor.add_(torch.rand(tensor.shape, generator=generator) * 0.1)
    return network.eval()


def pictures() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(6, 1, 9, 9, generator=generator),
            torch.randint(0, 5, (6,), generator=generator),
        )
        for _ in range(STEPS)
    ]


def classes(network: nn.Module, x: Tensor, label: Tensor) -> Tensor:
    logits = network(x)
    return nn.functional.cross_entropy(logits.flatten(0, -2), label.flatten())


def losses_of_torch(network: nn.Module, batches: list[Batch], frozen: str = "") -> list[float]:
    """What Adam makes of the network, in inference mode."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad = not frozen or not name.startswith(frozen)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-2)
    found = []
    for x, label in batches:
        optimizer.zero_grad()
        loss = classes(network, x, label)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def losses_of(model: nncomp.Model, batches: list[Batch], **variant: Any) -> list[float]:
    step = model.training_step(**variant)
    first = next(name for name in step.inputs if name != "label")
    return [step(**{first: x.numpy(), "label": label.numpy()})["loss"] for x, label in batches]


@pytest.mark.parametrize("dynamo", [True, False])
def test_convolutions_learn_as_in_torch(dynamo: bool, tmp_path: Path) -> None:
    """Exporters put normalisation into convolutions, so that these learn with it."""
    network = trained(Pictures())
    assert isinstance(network, Pictures)
    export(network, torch.zeros(2, 1, 9, 9), tmp_path / "m.onnx", dynamo)
    objective = Objective("cross_entropy", ("accuracy",), "Adam(lr=1e-2)")
    model = nncomp.load(tmp_path / "m.onnx", objective=objective)
    before = model.parameters
    found = losses_of(model, pictures(), freeze=["*head*"])
    wanted = losses_of_torch(network.fused(), pictures(), "head")
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    after = model.parameters
    assert wanted[-1] != wanted[0]
    for name, array in before.items():
        assert np.array_equal(array, after[name]) == ("head" in name)


def test_normalisation_keeps_its_statistics(tmp_path: Path) -> None:
    """Scale and bias learn, running statistics do not, as in torch's inference mode."""
    network = trained(Pictures())
    torch.onnx.export(
        network,
        (torch.zeros(2, 1, 9, 9),),
        tmp_path / "m.onnx",
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        input_names=["x"],
        dynamic_axes={"x": {0: "batch"}},
    )
    objective = Objective("cross_entropy", optimizer="Adam(lr=1e-2)")
    model = nncomp.load(tmp_path / "m.onnx", objective=objective)
    before = model.parameters
    kinds = {p.path: p.kind for p in model.graph.parameters}
    assert kinds["bn1.running_var"] == "buffer"
    found = losses_of(model, pictures())
    np.testing.assert_allclose(found, losses_of_torch(network, pictures()), rtol=1e-5)
    changed = {name for name, a in model.parameters.items() if not np.array_equal(a, before[name])}
    assert changed == {name for name, kind in kinds.items() if kind == "param"}


@pytest.mark.parametrize("dynamo", [True, False])
def test_transformers_learn_as_in_torch(dynamo: bool, tmp_path: Path) -> None:
    """A causal language model for dynamo, whose head is its embedding; BERT for TorchScript, which
    cannot export the other."""
    from transformers import BertConfig, BertForTokenClassification, GPT2Config, GPT2LMHeadModel

    if dynamo:
        settings = GPT2Config(vocab_size=20, n_embd=8, n_layer=2, n_head=2, n_positions=8)
        settings.use_cache = False
        inner: nn.Module = GPT2LMHeadModel(settings)
    else:
        bert = BertConfig(
            vocab_size=20,
            max_position_embeddings=8,
            pad_token_id=None,  # whose embedding torch would leave as it is
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            num_labels=20,
        )
        inner = BertForTokenClassification(bert)
    network = trained(Text(inner))
    generator = torch.Generator().manual_seed(2)
    texts = [torch.randint(0, 20, (3, 8), generator=generator) for _ in range(STEPS)]
    batches = [(text[:, :-1], text[:, 1:]) for text in texts]
    export(network, batches[0][0], tmp_path / "m.onnx", dynamo)
    objective = Objective("cross_entropy(axis=-1)", optimizer="Adam(lr=1e-2)")
    model = nncomp.load(tmp_path / "m.onnx", objective=objective)
    embedding = "lm_head" if dynamo else "word_embeddings"
    tied = [d.message for d in model.program.warnings if d.code == "NN0807"]
    assert len(tied) == dynamo  # the head, transposed
    found = losses_of(model, batches)
    np.testing.assert_allclose(found, losses_of_torch(network, batches), rtol=1e-5)
    state = {**network.state_dict()}
    name, weights = next((n, a) for n, a in model.parameters.items() if embedding in n)
    np.testing.assert_allclose(weights, state[name].numpy(), rtol=1e-3, atol=1e-5)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A network by TorchScript, whose initialisers keep their names, and data for it."""
    network = trained(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)))
    export(network, torch.zeros(2, 4), tmp_path / "m.onnx", dynamo=False)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, label=x[:, :3].argmax(1))
    return tmp_path / "m.onnx"


def outputs_of(path: Path, x: Array) -> Array:
    session = onnxruntime.InferenceSession(path)
    found: Array = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found


def test_train_writes_the_model_with_its_new_weights(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = saved.with_name("out")
    data = str(saved.with_name("data.npz"))
    command = ["train", str(saved), "--data", data, "-o", str(out), "--epochs", "8"]
    command += ["--loss", "cross_entropy", "--metric", "accuracy", "--batch-size", "16"]
    command += ["--optimizer", "Adam(lr=0.05)", "--freeze", "0.bias"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "learns 3 of 4 parameters, 59 of 67 numbers: 0.weight, 2.weight, 2.bias" in shown
    assert f"wrote {out}/m.onnx" in shown
    weights = load_weights(out / "best.safetensors")
    before, after = onnx.load(saved), onnx.load(out / "m.onnx")
    assert after.graph.node == before.graph.node
    for old, new in zip(before.graph.initializer, after.graph.initializer, strict=True):
        array = onnx.numpy_helper.to_array(new)
        np.testing.assert_array_equal(array, weights[new.name])
        same = np.array_equal(array, onnx.numpy_helper.to_array(old))
        assert old.name == new.name
        assert same == (old.name == "0.bias")
    x, label = (np.load(data)[name] for name in ("x", "label"))
    assert (outputs_of(out / "m.onnx", x).argmax(1) == label).mean() > 0.9
    compiled = saved.with_name("compiled.onnx")
    best = ["--weights", str(out / "best.safetensors")]
    assert main(["build", str(saved), "-o", str(compiled), *best]) == 0
    np.testing.assert_allclose(outputs_of(compiled, x), outputs_of(out / "m.onnx", x), atol=1e-5)


def test_step_graph_of_an_imported_model(saved: Path) -> None:
    """`build --train` writes what any onnxruntime can run."""
    out = saved.with_name("step.onnx")
    command = ["build", str(saved), "-o", str(out), "--train", "--loss", "cross_entropy"]
    assert main([*command, "--only", "2"]) == 0
    model = onnx.load(saved.with_name("step.train.onnx"))
    manifest = json.loads({p.key: p.value for p in model.metadata_props}["nncomp.step"])
    assert manifest["batch"]["label"]["dtype"] == "i64"
    updated = {e["path"] for e in manifest["state"] if e["kind"] == "param" and "output" in e}
    assert updated == {"2.weight", "2.bias"}
    assert saved.with_name("step.eval.onnx").exists()


def test_search_for_a_rate(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.with_name("search")
    command = ["tune", str(saved), "--data", str(saved.with_name("data.npz")), "-o", str(out)]
    command += ["--loss", "cross_entropy", "--search", "lr=0.1|1e-6", "--method", "grid"]
    assert main([*command, "--epochs", "3"]) == 0
    assert "best: trial 0 with lr = 0.1" in capsys.readouterr().out
    assert (out / "trial-000" / "m.onnx").exists()


def test_python_trains_and_saves(saved: Path) -> None:
    model = nncomp.load(saved, objective="cross_entropy")
    data: Mapping[str, Array] = dict(np.load(saved.with_name("data.npz")))
    options: dict[str, Any] = {"epochs": 2, "batch_size": 16}
    result = model.train(data, saved.with_name("run"), lr=0.05, only=["2"], **options)
    assert result.built == saved.with_name("run") / "m.onnx"
    first = next(iter(model.inputs))
    expected = model(**{first: data["x"]})
    np.testing.assert_allclose(
        outputs_of(result.built, data["x"]), next(iter(expected.values())), atol=1e-5
    )


# --- what an objective may say -----------------------------------------------------------------


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
    ("only", "freeze", "learnt"),
    [
        ((), (), {"w", "mask", "gamma", "beta"}),
        ((), ("mask", "g*"), {"w", "beta"}),
        (("scale", "variance"), (), {"scale", "variance"}),
        (("*a",), (), {"gamma", "beta"}),
    ],
)
def test_what_is_learnt(
    only: tuple[str, ...], freeze: tuple[str, ...], learnt: set[str], tmp_path: Path
) -> None:
    path = scaled(tmp_path / "m.onnx")
    model = nncomp.load(path, objective=Objective("mse", only=only))
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
    for backend in BACKENDS:
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
        (Objective("mse(hidden)", (), "Adm(lr=1)"), "NN0103", "`Adm` is not defined"),
        (Objective("mse(hidden)", (), "Adam"), "NN0201", "an optimizer is needed after `by`"),
        (Objective("mse(hidden)", only=("w_hiden",)), "NN0403", "did you mean `w_hidden`?"),
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
