"""PyTorch networks to be exported, each with an input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Shapes(nn.Module):
    """Reshapes, expansions and resizing by the sizes of the input."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        b, c, h, w = x.shape
        rows = x.view(b, c, h * w).transpose(1, 2)
        ones = torch.ones(h * w).expand(b, c, h * w).transpose(1, 2)
        half = torch.cat([rows[:, :1], rows + ones], 1).chunk(2, -1)[0]
        large = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
        return large, half.mean(1, keepdim=True), torch.where(x > 0, x, x * 0.1).clamp(-1, 2)


class Recurrent(nn.Module):
    """Two layers of LSTM in both directions, and what the last step makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 7, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(14, 3)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.lstm(x)[0][:, -1])


class Encoder(nn.Module):
    """Embedding, two layers of a transformer, logits."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.embedding = nn.Embedding(11, 16)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, 11)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.layers(self.embedding(x)))


class Text(nn.Module):
    """A model of `transformers` on token numbers alone; its first result."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model(input_ids=x)[0]


class Image(nn.Module):
    """A model of `transformers` on images; its first result."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model(pixel_values=x)[0]


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return Text(BertModel(BertConfig(vocab_size=50, intermediate_size=64, **sizes)))


def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    return Text(GPT2LMHeadModel(GPT2Config(vocab_size=50, use_cache=False, **sizes)))


def t5() -> nn.Module:
    from transformers import T5Config, T5EncoderModel

    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    return Text(T5EncoderModel(T5Config(vocab_size=50, **sizes)))


def resnet() -> nn.Module:
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2], layer_type="bottleneck"
    )
    return Image(ResNetModel(config))


def vit() -> nn.Module:
    from transformers import ViTConfig, ViTModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = ViTConfig(intermediate_size=64, image_size=32, patch_size=8, **sizes)
    return Image(ViTModel(config))


def mobilenet() -> nn.Module:
    from transformers import MobileNetV2Config, MobileNetV2Model

    return Image(MobileNetV2Model(MobileNetV2Config(depth_multiplier=0.25)))


IMAGES, TOKENS = (2, 3, 32, 32), (2, 6)
FAST: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolutional": (convolutional, IMAGES),
    "shapes": (Shapes, (2, 4, 6, 5)),
    "recurrent": (Recurrent, (2, 6, 5)),
    "encoder": (Encoder, TOKENS),
}
SLOW: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "bert": (bert, TOKENS),
    "gpt2": (gpt2, TOKENS),
    "t5": (t5, TOKENS),
    "resnet": (resnet, IMAGES),
    "vit": (vit, IMAGES),
    "mobilenet": (mobilenet, IMAGES),
}
NOT_BY_TORCHSCRIPT = {"encoder", "gpt2"}  # whose operators that exporter lacks


def network(name: str) -> tuple[nn.Module, Tensor]:
    """The network in inference mode, and an input."""
    make, shape = {**FAST, **SLOW}[name]
    torch.manual_seed(0)
    x = torch.randint(0, 11, shape) if shape == TOKENS else torch.randn(shape)
    return make().eval(), x
