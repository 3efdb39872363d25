"""Networks of `transformers` with random weights, as PyTorch exports them: what people bring along
as ONNX files. At their published sizes, or small: narrow, and of few layers.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nncomp.types import Array

Exporter = Literal["dynamo", "torchscript"]
EXPORTERS: tuple[Exporter, ...] = ("dynamo", "torchscript")

# settings of the small transformers
NARROW = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
WIDE_STAGES = {"depths": [1, 2], "hidden_sizes": [8, 16]}


@dataclass(frozen=True)
class Architecture:
    """A network of `transformers`.

    model, config: names of its classes; operand: the argument that it is given
    shape: of that argument for one sample; tokens: their number, 0 where it is floats
    settings, small: of the configuration at its published size, and narrow
    """

    model: str
    config: str
    operand: str
    shape: tuple[int, ...]
    tokens: int
    settings: dict[str, Any]
    small: dict[str, Any]

    def network(self, small: bool = False) -> nn.Module:
        import transformers

        settings = self.settings | (self.small if small else {})
        config = getattr(transformers, self.config)(**settings)
        model = getattr(transformers, self.model)(config)
        _spread(model)
        return First(model, self.operand).eval()

    def sample(self, batch: int = 1, small: bool = False) -> Array:
        """Random tokens or numbers, the same each time."""
        rng = np.random.default_rng(0)
        shape = (batch, *self.shape)
        if not self.tokens:
            return rng.standard_normal(shape).astype(np.float32)
        return rng.integers(0, min(self.tokens, 500) if small else self.tokens, shape)


def _spread(model: nn.Module) -> None:
    """Moves what starts as zeros or ones, as training does: biases, scales, statistics."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point() and tensor.numel() and tensor.min() == tensor.max():
                tensor += 0.1 * torch.rand_like(tensor)


class First(nn.Module):
    """The first result of a model of one input."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, x: Tensor) -> Any:
        given = {self.name: x}
        if self.name == "input_ids":  # else models look for several texts in one
            given["attention_mask"] = torch.ones_like(x)
        return self.model(**given, return_dict=False)[0]


def _image(model: str, config: str, small: dict[str, Any], **settings: Any) -> Architecture:
    return Architecture(model, config, "pixel_values", (3, 224, 224), 0, settings, small)


def _text(
    model: str, config: str, tokens: int, small: dict[str, Any], **settings: Any
) -> Architecture:
    few = {"vocab_size": 500} | small
    return Architecture(model, config, "input_ids", (128,), tokens, settings, few)


ARCHITECTURES: dict[str, Architecture] = {
    "mobilenet": _image("MobileNetV2ForImageClassification", "MobileNetV2Config", {}),
    "resnet50": _image(
        "ResNetForImageClassification",
        "ResNetConfig",
        WIDE_STAGES | {"embedding_size": 8},
    ),
    "bert": _text("BertModel", "BertConfig", 30522, NARROW),
    "gpt2": _text(
        "GPT2LMHeadModel",
        "GPT2Config",
        50257,
        {"n_layer": 2, "n_embd": 32, "n_head": 4},
        use_cache=False,
    ),
    "vit": _image("ViTModel", "ViTConfig", NARROW),
    "t5": _text(
        "T5EncoderModel",
        "T5Config",
        32128,
        {"num_layers": 2, "d_model": 32, "d_ff": 64, "d_kv": 8, "num_heads": 4},
        use_cache=False,
    ),
    "llama": _text(
        "LlamaModel",
        "LlamaConfig",
        32000,
        NARROW | {"num_key_value_heads": 2},
        # TinyLlama 1.1B's, in a quarter of its layers
        hidden_size=2048,
        intermediate_size=5632,
        num_hidden_layers=6,
        num_attention_heads=32,
        num_key_value_heads=4,
        use_cache=False,
    ),
    "swin": _image(
        "SwinModel",
        "SwinConfig",
        {"embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4]},
    ),
    "segformer": _image(
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [8, 16, 16, 16],
            "num_attention_heads": [1, 2, 2, 2],
            "decoder_hidden_size": 16,
        },
    ),
    "whisper": Architecture(
        "WhisperForAudioClassification",
        "WhisperConfig",
        "input_features",
        (80, 3000),
        0,
        {},
        {"d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 64},
    ),
    "wav2vec2": Architecture(
        "Wav2Vec2Model",
        "Wav2Vec2Config",
        "input_values",
        (16000,),
        0,
        {},
        NARROW | {"conv_dim": (8,) * 7, "num_conv_pos_embedding_groups": 4},
    ),
    "convnext": _image("ConvNextModel", "ConvNextConfig", WIDE_STAGES | {"num_stages": 2}),
}
"""By short names, in the order of the table."""


def sample(name: str) -> Array:
    """An image, or 128 tokens."""
    return ARCHITECTURES[name].sample()


def export(
    name: str,
    path: Path,
    exporter: Exporter = "dynamo",
    *,
    dynamic: bool = False,
    small: bool = False,
) -> None:
    """Writes the network for one sample, its input as `x`; dynamic: for any number of them."""
    torch.manual_seed(0)
    architecture = ARCHITECTURES[name]
    model = architecture.network(small)
    x = torch.from_numpy(architecture.sample(2 if dynamic else 1, small))
    logging.disable(logging.WARNING)
    settings: dict[str, Any] = {"dynamo": exporter == "dynamo", "input_names": ["x"]}
    if dynamic and exporter == "dynamo":
        settings["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    elif dynamic:
        settings |= {"output_names": ["y"], "dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), path, verbose=False, **settings)
