"""Networks of `transformers` at their published sizes, with random weights, as PyTorch exports
them: what people bring along as ONNX files."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nncomp.types import Array

TOKENS = [1, 128]
IMAGE = [1, 3, 224, 224]


class First(nn.Module):
    """The first result of a model of one input."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, x: Tensor) -> Any:
        return self.model(**{self.name: x}, return_dict=False)[0]


def network(name: str) -> nn.Module:
    """The network of that name."""
    import transformers as t

    if name == "resnet50":
        return First(t.ResNetForImageClassification(t.ResNetConfig()), "pixel_values")
    if name == "mobilenet":
        return First(t.MobileNetV2ForImageClassification(t.MobileNetV2Config()), "pixel_values")
    if name == "bert":
        return First(t.BertModel(t.BertConfig()), "input_ids")
    return First(t.GPT2LMHeadModel(t.GPT2Config(use_cache=False)), "input_ids")


def sample(name: str) -> Array:
    """An image, or 128 tokens."""
    rng = np.random.default_rng(0)
    if name in ("resnet50", "mobilenet"):
        return rng.standard_normal(IMAGE).astype(np.float32)
    return rng.integers(0, 30_000, TOKENS)


def export(name: str, path: Path) -> None:
    """Writes the network for that sample, its input as `x`."""
    torch.manual_seed(0)
    model, x = network(name).eval(), torch.from_numpy(sample(name))
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), path, dynamo=True, input_names=["x"], verbose=False)
