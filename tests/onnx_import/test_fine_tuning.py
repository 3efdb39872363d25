"""Imported models learn: as PyTorch does with the network that was exported."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import nncomp
from nncomp import Objective
from nncomp.cli import main
from nncomp.driver.running import Backend
from nncomp.types import Array
from nncomp.weights import load_weights
from tests.onnx_import.networks import Text
from tests.onnx_import.support import outputs_of
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
    np.testing.assert_allclose(found[:5], wanted[:5], rtol=1e-5)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)  # Adam makes more of what rounds off
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


def test_weights_in_constant_nodes_learn(saved: Path) -> None:
    """As paddle2onnx writes them; in the model that training writes they are initialisers."""
    model = onnx.load(saved)
    constants = [
        onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        for tensor in model.graph.initializer
    ]
    nodes = [*constants, *model.graph.node]
    for part in ("node", "initializer"):
        model.graph.ClearField(part)
    model.graph.node.extend(nodes)
    onnx.save(model, saved)
    out = saved.with_name("out")
    command = ["train", str(saved), "--data", str(saved.with_name("data.npz")), "-o", str(out)]
    command += ["--loss", "cross_entropy", "--optimizer", "Adam(lr=0.05)", "--epochs", "8"]
    assert main([*command, "--batch-size", "16"]) == 0
    after = onnx.load(out / "m.onnx")
    onnx.checker.check_model(after)
    assert {t.name for t in after.graph.initializer} >= {"0.weight", "0.bias", "2.weight"}
    x, label = (np.load(saved.with_name("data.npz"))[name] for name in ("x", "label"))
    assert (outputs_of(out / "m.onnx", x).argmax(1) == label).mean() > 0.9


def test_step_graph_of_an_imported_model(saved: Path) -> None:
    """`build --train` writes what any onnxruntime can run."""
    out = saved.with_name("step.onnx")
    command = ["build", str(saved), "-o", str(out), "--train", "--loss", "cross_entropy"]
    assert main([*command, "--trainable", "2"]) == 0
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
    result = model.train(data, saved.with_name("run"), lr=0.05, trainable=["2"], **options)
    assert result.built == saved.with_name("run") / "m.onnx"
    first = next(iter(model.inputs))
    expected = model(**{first: data["x"]})
    np.testing.assert_allclose(
        outputs_of(result.built, data["x"]), next(iter(expected.values())), atol=1e-5
    )
