"""Layers and functions of the standard library = PyTorch's, with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nncomp.backends.reference.interpreter import run
from nncomp.lower.program import Program
from nncomp.types import Array
from tests.lower.programs import program
from tests.models import support
from tests.models.agreement import compiled, drawn

RNG = np.random.default_rng(0)
IMAGE = RNG.standard_normal((2, 6, 7, 5)).astype(np.float32)
SEQUENCE = RNG.standard_normal((3, 5, 8)).astype(np.float32)


def _program(block: str, call: str, x: Array) -> Program:
    dims = ["N", *map(str, x.shape[1:])]
    names = block or "Linear"
    return program(
        f"from std import {names}\nmodel M {{\n  input x: f32[{', '.join(dims)}]\n"
        f"  output y = x |> {call}\n}}\n"
    )


LAYERS: list[tuple[str, str, Callable[[], nn.Module], Array]] = [
    ("ConvTranspose", "ConvTranspose(4, 3)", lambda: nn.ConvTranspose2d(6, 4, 3), IMAGE),
    (
        "ConvTranspose",
        "ConvTranspose(4, [3, 2], stride=2, pad=1, groups=2, output_pad=[1, 0], use_bias=false)",
        lambda: nn.ConvTranspose2d(6, 4, (3, 2), 2, 1, (1, 0), groups=2, bias=False),
        IMAGE,
    ),
    (
        "Conv",
        "Conv(4, 3, pad=[(2, 0), 1])",
        lambda: nn.Sequential(nn.ZeroPad2d((1, 1, 2, 0)), nn.Conv2d(6, 4, 3)),
        IMAGE,
    ),
    ("LayerNorm", "LayerNorm()", lambda: nn.LayerNorm(5), IMAGE),
    (
        "LayerNorm",
        "LayerNorm(1e-3, use_bias=false)",
        lambda: nn.LayerNorm(5, 1e-3, bias=False),
        IMAGE,
    ),
    ("RMSNorm", "RMSNorm(1e-5)", lambda: nn.RMSNorm(5, 1e-5), IMAGE),
    ("GroupNorm", "GroupNorm(3)", lambda: nn.GroupNorm(3, 6), IMAGE),
    ("InstanceNorm", "InstanceNorm()", lambda: nn.InstanceNorm2d(6, affine=True), IMAGE),
    (
        "",
        "local_response_norm(3, 0.1, 0.7, 2)",
        lambda: nn.LocalResponseNorm(3, 0.1, 0.7, 2),
        IMAGE,
    ),
    ("PReLU", "PReLU()", lambda: nn.PReLU(6), IMAGE),
    ("PReLU", "PReLU(shared=true)", lambda: nn.PReLU(), IMAGE),
    ("", "mish", nn.Mish, IMAGE),
    ("", "glu(1)", lambda: nn.GLU(1), IMAGE),
    ("", "relu6", nn.ReLU6, IMAGE),
]


@pytest.mark.parametrize(("block", "call", "peer", "x"), LAYERS, ids=[c[1] for c in LAYERS])
def test_layer(block: str, call: str, peer: Callable[[], nn.Module], x: Array) -> None:
    graph = _program(block, call, x).graph
    values = drawn(graph)
    module = support.with_weights(peer(), graph, values).eval()
    with torch.no_grad():
        theirs = module(torch.from_numpy(x)).numpy()
    assert support.difference(compiled(graph, values)({"x": x})["y"], theirs) <= 1e-5


def _attention_state(values: dict[str, Array], path: str) -> tuple[torch.Tensor, torch.Tensor]:
    weight, bias = (
        np.concatenate([values[f"{path}{n}.{part}"] for n in ("query", "key", "value")])
        for part in ("weight", "bias")
    )
    return torch.from_numpy(weight), torch.from_numpy(bias)


def test_multi_head_attention_with_a_mask() -> None:
    text = """
from std import MultiHeadAttention
model M {
  input x: f32[N, T, 8]
  input memory: f32[N, S, 8]
  input mask: bool[N, S]
  output y = x |> MultiHeadAttention(4)(memory, mask[:, none, none]) as layer
}"""
    graph = program(text).graph
    values = drawn(graph)
    memory = RNG.standard_normal((3, 7, 8)).astype(np.float32)
    mask = RNG.integers(0, 2, (3, 7)) > 0
    mask[:, 0] = True
    module = nn.MultiheadAttention(8, 4, batch_first=True).eval()
    with torch.no_grad():
        module.in_proj_weight.data, module.in_proj_bias.data = _attention_state(values, "layer.")
        module.out_proj.weight.data = torch.from_numpy(values["layer.out.weight"])
        module.out_proj.bias.data = torch.from_numpy(values["layer.out.bias"])
        keys = torch.from_numpy(memory)
        theirs, _ = module(
            torch.from_numpy(SEQUENCE), keys, keys, key_padding_mask=torch.from_numpy(~mask)
        )
    inputs = {"x": SEQUENCE, "memory": memory, "mask": mask}
    assert support.difference(compiled(graph, values)(inputs)["y"], theirs.numpy()) <= 1e-5


@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_encoder_layer(norm_first: bool) -> None:
    call = f"TransformerEncoderLayer(2, 12, norm_first={str(norm_first).lower()}) as layer"
    graph = _program("TransformerEncoderLayer", call, SEQUENCE).graph
    values = {p.removeprefix("layer."): v for p, v in drawn(graph).items()}
    module = nn.TransformerEncoderLayer(8, 2, 12, norm_first=norm_first, batch_first=True).eval()
    weight, bias = _attention_state(values, "attend.")
    state = {"self_attn.in_proj_weight": weight, "self_attn.in_proj_bias": bias}
    names = {
        "self_attn.out_proj": "attend.out",
        "linear1": "feed.expand",
        "linear2": "feed.project",
    }
    for theirs_name, ours_name in {**names, "norm1": "norm1", "norm2": "norm2"}.items():
        for part in ("weight", "bias"):
            state[f"{theirs_name}.{part}"] = torch.from_numpy(values[f"{ours_name}.{part}"])
    module.load_state_dict(state)
    with torch.no_grad():
        theirs = module(torch.from_numpy(SEQUENCE)).numpy()
    model = compiled(graph, {f"layer.{p}": v for p, v in values.items()})
    assert support.difference(model({"x": SEQUENCE})["y"], theirs) <= 1e-5


def test_maxout_takes_the_largest_of_neighbours() -> None:
    graph = _program("", "maxout(4)", SEQUENCE).graph
    expected = SEQUENCE.reshape(3, 5, 2, 4).max(axis=3)
    assert np.array_equal(run(graph, {"x": SEQUENCE}).outputs["y"], expected)


A, B = (RNG.standard_normal((4, 6)).astype(np.float32) for _ in range(2))
TA, TB = torch.from_numpy(A), torch.from_numpy(B)
LABEL = np.array([1, 5, -100, 0])
LOSSES: list[tuple[str, Any]] = [
    (
        "kl_divergence(log_softmax(a), softmax(b))",
        lambda: nn.functional.kl_div(TA.log_softmax(1), TB.softmax(1), reduction="batchmean"),
    ),
    (
        "cross_entropy(a, label, smoothing=0.1, ignore=-100)",
        lambda: nn.functional.cross_entropy(TA, torch.from_numpy(LABEL), label_smoothing=0.1),
    ),
    (
        "cross_entropy(a, label, ignore=-100)",
        lambda: nn.functional.cross_entropy(TA, torch.from_numpy(LABEL)),
    ),
    (
        "gan_discriminator_loss(a, b)",
        lambda: (
            nn.functional.binary_cross_entropy_with_logits(TA, torch.ones(4, 6))
            + nn.functional.binary_cross_entropy_with_logits(TB, torch.zeros(4, 6))
        ),
    ),
    (
        "gan_generator_loss(a)",
        lambda: nn.functional.binary_cross_entropy_with_logits(TA, torch.ones(4, 6)),
    ),
    ("gan_generator_loss(a, minimax=true)", lambda: (1 - TA.sigmoid()).log().mean()),
    (
        "gaussian_kl(a, b)",
        lambda: (
            torch.distributions.kl_divergence(
                torch.distributions.Normal(TA, (TB / 2).exp()), torch.distributions.Normal(0.0, 1.0)
            )
            .sum(1)
            .mean()
        ),
    ),
    ("mean(cosine_similarity(a, b))", lambda: nn.functional.cosine_similarity(TA, TB).mean()),
]


@pytest.mark.parametrize(("call", "peer"), LOSSES, ids=[c[0] for c in LOSSES])
def test_loss(call: str, peer: Callable[[], torch.Tensor]) -> None:
    text = "model M {\n  input a: f32[N, 6]\n  input b: f32[N, 6]\n  input label: i64[N]\n"
    graph = program(text + f"  output y = {call}\n}}\n").graph
    ours = run(graph, {"a": A, "b": B, "label": LABEL}).outputs["y"]
    assert np.isclose(ours, peer().item(), rtol=1e-5)


def test_orthogonal_and_identity_initial_values() -> None:
    text = """
from std import Conv, Linear
model M {
  input x: f32[N, 4, 9]
  y = x |> Linear(40, init=orthogonal) as wide |> Linear(9, init=orthogonal) as narrow
  y = y |> Conv(5, 3, init=orthogonal) as conv |> Linear(7, init=identity) as same
  output y
}"""
    values = run(program(text).initial, {"seed": np.int64(1)}).outputs
    for name in ("wide", "narrow", "conv"):
        matrix = values[f"{name}.weight"].reshape(len(values[f"{name}.weight"]), -1)
        short = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        assert np.allclose(short @ short.T, np.eye(len(short)), atol=1e-5)
    assert np.array_equal(values["same.weight"], np.eye(7, dtype=np.float32))


def test_initial_values_as_they_are_and_mathematics_of_them() -> None:
    """Layers take `normal(…)` for a fn that gives it; functions of it wait for its shape too."""
    text = """
from std import Linear
model M {
  input x: f32[N, 40]
  size = exp(uniform(log(0.001), log(0.1)))
  output y = x |> Linear(50, init=normal(std=0.1), bias_init=log(exp(size) - 1)) as layer
}"""
    values = run(program(text).initial, {"seed": np.int64(1)}).outputs
    assert abs(values["layer.weight"].std() - 0.1) < 0.01
    step = np.log1p(np.exp(values["layer.bias"].astype(np.float64)))
    assert values["layer.bias"].shape == (50,)
    assert step.min() > 0.00099
    assert step.max() < 0.101


def test_sinusoids() -> None:
    graph = program("model M {\n  input x: i64[T]\n  output y = sinusoids(len(x), 6)\n}\n").graph
    place, rate = np.arange(11)[:, None], 10000.0 ** (-np.arange(0, 6, 2) / 6)
    code = np.stack([np.sin(place * rate), np.cos(place * rate)], axis=2).reshape(11, 6)
    assert np.allclose(run(graph, {"x": np.zeros(11, np.int64)}).outputs["y"], code, atol=1e-5)


def test_bernoulli_counts() -> None:
    text = "model M {\n  input x: f32[N]\n  output y = mean(bernoulli([4000], 0.3))\n}\n"
    found = run(program(text).graph, {"x": np.zeros(1, np.float32)}).outputs["y"]
    assert abs(found - 0.3) < 0.03
