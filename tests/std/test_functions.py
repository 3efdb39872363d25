"""The library's functions beside PyTorch's."""

from __future__ import annotations

import pytest
import torch

from tests.std.against_torch import Function, check

F = torch.nn.functional

# what stands in the model, on `x: f64[N, 5, T]` and `label: i64[N, T]`; the same in PyTorch
FUNCTIONS: list[tuple[str, Function]] = [
    ("relu(x)", lambda x, _: F.relu(x)),
    ("sigmoid(x)", lambda x, _: torch.sigmoid(x)),
    ("leaky_relu(x)", lambda x, _: F.leaky_relu(x)),
    ("leaky_relu(x, 0.2)", lambda x, _: F.leaky_relu(x, 0.2)),
    ("elu(x, 0.7)", lambda x, _: F.elu(x, 0.7)),
    ("selu(x)", lambda x, _: F.selu(x)),
    ("gelu(x)", lambda x, _: F.gelu(x)),
    ('gelu(x, "tanh")', lambda x, _: F.gelu(x, approximate="tanh")),
    ("softplus(x)", lambda x, _: F.softplus(x)),
    ("softsign(x)", lambda x, _: F.softsign(x)),
    ("silu(x)", lambda x, _: F.silu(x)),
    ("mish(x)", lambda x, _: F.mish(x)),
    ("hard_sigmoid(x)", lambda x, _: F.hardsigmoid(x)),
    ("hard_swish(x)", lambda x, _: F.hardswish(x)),
    ("softmax(x, axis=1)", lambda x, _: F.softmax(x, 1)),
    ("log_softmax(x, axis=1)", lambda x, _: F.log_softmax(x, 1)),
    ("logsumexp(x, axis=1)", lambda x, _: torch.logsumexp(x, 1)),
    ("variance(x, axis=[0, 2])", lambda x, _: torch.var(x, (0, 2), correction=0)),
    ("norm(x, axis=1)", lambda x, _: torch.linalg.norm(x, dim=1)),
    ("roll(x, 2, axis=1)", lambda x, _: torch.roll(x, 2, 1)),
    ("roll(x, -1)", lambda x, _: torch.roll(x, -1, -1)),
    (
        "center_crop(x[none], x[none, :, :3, 1:])",
        lambda x, _: x[None, :, 1:4, :3],
    ),
    ("top_k(x, 3, axis=1)[0]", lambda x, _: torch.topk(x, 3, 1)[0]),
    (
        "cosine_similarity(x[:, :1], x, axis=2)",
        lambda x, _: F.cosine_similarity(x[:, :1], x, 2),
    ),
]


@pytest.mark.parametrize(("text", "function"), FUNCTIONS, ids=[text for text, _ in FUNCTIONS])
def test_against_torch(text: str, function: Function) -> None:
    check(text, function)
