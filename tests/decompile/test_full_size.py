"""Networks of full size with random weights, exported by PyTorch, written as `.nn`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nncomp.backends.reference.interpreter import evaluate
from nncomp.decompile.source import Source
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import read_model
from tests.decompile.support import assert_same_outputs
from tests.onnx_import.networks import Image, Text
from tests.onnx_import.test_torch import export

pytestmark = pytest.mark.slow


class Logits(nn.Module):
    """A classifier of `transformers`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model(pixel_values=x).logits


class Translation(nn.Module):
    """An encoder and a decoder, on the same tokens."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model(input_ids=x, decoder_input_ids=x)[0]


class Tagger(nn.Module):
    """Two layers of LSTM in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(128, 256, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(512, 17)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.lstm(x)[0])


def resnet50() -> nn.Module:
    from transformers import ResNetConfig, ResNetForImageClassification

    return Logits(ResNetForImageClassification(ResNetConfig()))


def mobilenet() -> nn.Module:
    from transformers import MobileNetV2Config, MobileNetV2Model

    return Image(MobileNetV2Model(MobileNetV2Config()))


def bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    return Text(BertModel(BertConfig()))


def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return Text(GPT2LMHeadModel(GPT2Config(use_cache=False)))


def vit() -> nn.Module:
    from transformers import ViTConfig, ViTModel

    return Image(ViTModel(ViTConfig()))


def t5() -> nn.Module:
    from transformers import T5Config, T5Model

    return Translation(T5Model(T5Config(use_cache=False)))


# what is exported; its input; blocks and lines at most; loops at least
IMAGE, TOKENS, FRAMES = (2, 3, 224, 224), (2, 8), (2, 6, 128)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, int]] = {
    "resnet50": (resnet50, IMAGE, 80, 1),
    "mobilenet": (mobilenet, IMAGE, 110, 4),
    "bert": (bert, TOKENS, 120, 1),
    "gpt2": (gpt2, TOKENS, 140, 1),
    "vit": (vit, IMAGE, 110, 1),
    "t5": (t5, TOKENS, 330, 2),
    "lstm": (Tagger, FRAMES, 90, 0),
}
CASES = [
    (name, dynamo) for name in NETWORKS for dynamo in (True, False) if dynamo or name != "gpt2"
]


def written(name: str, dynamo: bool, folder: Path) -> Source:
    make, shape, *_ = NETWORKS[name]
    torch.manual_seed(0)
    x = torch.randint(0, 100, shape) if shape == TOKENS else torch.randn(shape)
    path = folder / f"{name}.onnx"
    export(make().eval(), x, path, dynamo)
    file = read_model(path)
    imported = import_model(file, evaluate)
    (value,) = imported.graph.inputs
    return assert_same_outputs(imported, file, {value.name: x.numpy()}, folder)


@pytest.mark.parametrize(("name", "dynamo"), CASES)
def test_round_trip(name: str, dynamo: bool) -> None:
    with TemporaryDirectory() as folder:  # gigabytes, which pytest would keep
        source = written(name, dynamo, Path(folder))
    *_, lines, loops = NETWORKS[name]
    assert source.structured
    assert source.text.count("\n") <= lines
    assert source.text.count("for i in range(") >= loops
