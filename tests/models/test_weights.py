"""Foreign weights by the rename maps of models/rename, and tensors that stand in several places."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import nncomp
from nncomp.cli import main
from nncomp.types import Array
from nncomp.weights import load_weights, save_weights
from tests.models import support

MAPS = support.MODELS / "rename"
GPT = {"layers": 2, "width": 24, "heads": 3, "vocabulary": 61, "context": 32}
BERT = {**GPT, "pairs": True, "padded": True}


class _Block(nn.Module):
    """torchvision's BasicBlock and Bottleneck, by the names of their parts."""

    def __init__(self, i: int, channels: int, stride: int, wide: bool) -> None:
        super().__init__()
        o = 4 * channels if wide else channels
        sizes = [(1, 1), (3, stride), (1, 1)] if wide else [(3, stride), (3, 1)]
        widths = [i, channels, channels, o] if wide else [i, channels, o]
        self.count = len(sizes)
        for n, (kernel, s) in enumerate(sizes):
            conv = nn.Conv2d(widths[n], widths[n + 1], kernel, s, kernel // 2, bias=False)
            self.add_module(f"conv{n + 1}", conv)
            self.add_module(f"bn{n + 1}", nn.BatchNorm2d(widths[n + 1]))
        self.downsample = None
        if i != o or stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for n in range(1, self.count + 1):
            y = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(y))
            y = torch.relu(y) if n < self.count else y
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def torchvision_resnet(counts: tuple[int, ...], wide: bool) -> nn.Module:
    """A ResNet with the names of torchvision's."""
    net, before = nn.Sequential(), 64
    net.add_module("conv1", nn.Conv2d(3, 64, 7, 2, 3, bias=False))
    net.add_module("bn1", nn.BatchNorm2d(64))
    net.add_module("relu", nn.ReLU())
    net.add_module("maxpool", nn.MaxPool2d(3, 2, 1))
    for i, count in enumerate(counts):
        blocks = []
        for j in range(count):
            blocks.append(_Block(before, 64 * 2**i, 2 if i and not j else 1, wide))
            before = 64 * 2**i * (4 if wide else 1)
        net.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
    net.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    net.add_module("flatten", nn.Flatten())
    net.add_module("fc", nn.Linear(before, 1000))
    return net


def saved(module: nn.Module, path: Path) -> Path:
    save_weights(path, {name: tensor.numpy() for name, tensor in module.state_dict().items()})
    return path


@pytest.mark.parametrize(
    ("depth", "counts"),
    [(18, (2, 2, 2, 2)), pytest.param(50, (3, 4, 6, 3), marks=pytest.mark.slow)],
)
def test_torchvision_resnet(tmp_path: Path, depth: int, counts: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module = torchvision_resnet(counts, depth >= 50).eval()
    file = saved(module, tmp_path / "resnet.safetensors")
    rename = MAPS / "torchvision_resnet.json"
    model = nncomp.load(support.MODELS / "resnet.nn", weights=file, rename=rename, depth=depth)
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    with torch.no_grad():
        theirs = module(torch.from_numpy(image)).numpy()
    assert support.difference(model(image=image)["logits"], theirs) <= 1e-4


def foreign(path: Path, weights: dict[str, Array]) -> Path:
    save_weights(path, weights)
    return path


def test_gpt2_of_the_hub(tmp_path: Path) -> None:
    """Its file has no prefix, and holds the causal masks."""
    own = nncomp.load(support.MODELS / "gpt.nn", **GPT).parameters
    weights = {name.removeprefix("transformer."): value for name, value in own.items()}
    weights |= {f"h.{i}.attn.bias": np.ones((1, 1, 32, 32), np.float32) for i in range(2)}
    file = foreign(tmp_path / "gpt2.safetensors", weights)
    model = nncomp.load(
        support.MODELS / "gpt.nn", weights=file, rename=MAPS / "gpt2.json", seed=1, **GPT
    )
    assert all(np.array_equal(model.parameters[name], value) for name, value in own.items())


def test_bert_with_heads_and_old_names(tmp_path: Path) -> None:
    own = nncomp.load(support.MODELS / "bert.nn", **BERT).parameters
    weights = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in own.items()
    }
    weights["cls.predictions.bias"] = np.zeros(61, np.float32)
    file = foreign(tmp_path / "bert.npz", weights)
    model = nncomp.load(
        support.MODELS / "bert.nn", weights=file, rename=MAPS / "bert.json", seed=1, **BERT
    )
    assert all(np.array_equal(model.parameters[name], value) for name, value in own.items())


@pytest.mark.slow
@pytest.mark.parametrize("prefixed", [True, False])
def test_hugging_face_gpt2(tmp_path: Path, prefixed: bool) -> None:
    """GPT2LMHeadModel, whose names have a prefix, and GPT2Model, whose names have none."""
    import transformers  # heavy: only where it is needed

    config = transformers.GPT2Config(vocab_size=61, n_positions=32, n_embd=24, n_layer=2, n_head=3)
    module = transformers.GPT2LMHeadModel(config).eval()
    file = saved(module if prefixed else module.transformer, tmp_path / "gpt2.safetensors")
    rename = MAPS / "gpt2.json"
    model = nncomp.load(support.MODELS / "gpt.nn", weights=file, rename=rename, **GPT)
    tokens = np.random.default_rng(0).integers(0, 61, (3, 7))
    with torch.no_grad():
        theirs = module(torch.from_numpy(tokens)).logits.numpy()
    assert support.difference(model(tokens=tokens)["logits"], theirs) <= 1e-4


@pytest.mark.slow
def test_hugging_face_bert(tmp_path: Path) -> None:
    import transformers  # heavy: only where it is needed

    config = transformers.BertConfig(
        vocab_size=61,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        max_position_embeddings=32,
    )
    module = transformers.BertForPreTraining(config).eval()
    file = saved(module, tmp_path / "bert.safetensors")
    settings: dict[str, Any] = dict(GPT)
    rename = MAPS / "bert.json"
    model = nncomp.load(support.MODELS / "bert.nn", weights=file, rename=rename, **settings)
    tokens = np.random.default_rng(0).integers(0, 61, (3, 7))
    with torch.no_grad():
        theirs = module.bert(torch.from_numpy(tokens))
    ours = model(tokens=tokens)
    assert support.difference(ours["hidden"], theirs.last_hidden_state.numpy()) <= 1e-4
    assert support.difference(ours["pooled"], theirs.pooler_output.numpy()) <= 1e-4


def test_the_command_takes_maps_and_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = nncomp.load(support.MODELS / "lenet5.nn").parameters
    weights = {f"net.{name.replace('conv1', 'first')}": value for name, value in own.items()}
    file = foreign(tmp_path / "w.npz", {**weights, "step": np.zeros(1)})
    (tmp_path / "map.json").write_text('{"^net[.]": "", "^step$": ""}')
    lenet, out = str(support.MODELS / "lenet5.nn"), str(tmp_path / "lenet.onnx")
    command = ["build", lenet, "-o", out, "--weights", str(file)]
    assert main([*command, "--rename", str(tmp_path / "map.json")]) == 1
    text = capsys.readouterr().err
    assert "lack `conv1.weight`" in text
    assert "the model has no `first.bias`" in text
    assert main([*command, "--rename", str(tmp_path / "map.json"), "--rename", "^first=conv1"]) == 0
    assert main(["build", lenet, "-o", out, "--rename", "a=b"]) == 1
    assert "--weights" in capsys.readouterr().err


def test_shared_weights_are_stored_once(tmp_path: Path) -> None:
    """The embedding, which is the last layer once more, in weights files and in ONNX."""
    model = nncomp.load(support.MODELS / "gpt.nn", **{**GPT, "vocabulary": 20_000})
    count = sum(value.size for value in model.parameters.values())
    model.save(tmp_path / "w.safetensors")
    assert sum(value.size for value in load_weights(tmp_path / "w.safetensors").values()) == count
    model.build(tmp_path / "gpt.onnx")
    constants = onnx.load(tmp_path / "gpt.onnx").graph.initializer
    assert sum(prod(c.dims) for c in constants) <= count + 1000
