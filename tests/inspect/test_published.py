"""Parameters and FLOPs of well-known networks, against what is published and against PyTorch's
counter, which counts products of matrices and convolutions, a multiply-add as two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nncomp.driver.programs import load_program
from nncomp.driver.reporting import Inspected, inspected
from nncomp.inspect.cost import cost

MODELS = Path(__file__).resolve().parent.parent.parent / "models"
PRODUCTS = ("Conv", "MatMul", "Gemm")
TOKENS = 128


def vgg16() -> nn.Module:
    """Configuration D of Simonyan & Zisserman (2014)."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    sizes = (512 * 49, 4096, 4096, 1000)
    head = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def resnet50() -> nn.Module:
    config = transformers.ResNetConfig(num_labels=1000)
    return transformers.ResNetForImageClassification(config)


def bert() -> nn.Module:
    return transformers.BertModel(transformers.BertConfig(attn_implementation="eager"))


def gpt2() -> nn.Module:
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(attn_implementation="eager"))


def image() -> torch.Tensor:
    return torch.zeros(1, 3, 224, 224)


def tokens() -> torch.Tensor:
    return torch.zeros(1, TOKENS, dtype=torch.long)


def looked_at(file: str, sizes: Mapping[str, int]) -> Inspected:
    program = load_program(MODELS / file, kinds=())
    return inspected(program, level=0, sizes=sizes)


@pytest.mark.parametrize(
    ("file", "sizes", "make", "given", "parameters", "giga"),
    [
        # torchvision's table of weights: 25.56 M, 4.09 GFLOPS; 138.36 M, 15.47 (multiply-adds)
        ("resnet.nn", {}, resnet50, image, 25_557_032, 2 * 4.09),
        ("vgg.nn", {}, vgg16, image, 138_357_544, 2 * 15.47),
        # 12 layers of 24·768² T + 4·768 T² for T tokens (Kaplan et al., 2020, table 1), and a head
        ("bert.nn", {"T": TOKENS}, bert, tokens, 109_482_240, 22.35),
        ("gpt.nn", {"T": TOKENS}, gpt2, tokens, 124_439_808, 22.35 + 9.88),
    ],
    ids=["resnet50", "vgg16", "bert", "gpt2"],
)
def test_flops_and_parameters(
    file: str,
    sizes: Mapping[str, int],
    make: Callable[[], nn.Module],
    given: Callable[[], Any],
    parameters: int,
    giga: float,
) -> None:
    found = looked_at(file, sizes)
    costs = cost(found.graph, found.sizes)
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        make().eval()(given())
    biases = sum(
        c.written // 4
        for n, c in costs.nodes.items()
        if n.op.name == "Conv" and len(n.operands) > 2
    )
    ours = sum(c.flops for n, c in costs.nodes.items() if n.op.name in PRODUCTS) - biases
    assert ours == counter.get_total_flops()
    assert ours / 1e9 == pytest.approx(giga, rel=2e-3)
    assert costs.parameters == parameters
