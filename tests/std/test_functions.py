"""The library's functions beside PyTorch's: values, and gradients, by NumPy in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from tests.lower.programs import program

F = torch.nn.functional
X = np.random.default_rng(0).normal(scale=2, size=(3, 5, 4))
LABEL = np.random.default_rng(1).integers(0, 5, (3, 4))

# what stands in the model, on `x: f64[N, 5, T]` and `label: i64[N, T]`; the same in PyTorch
FUNCTIONS: list[tuple[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]] = [
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
    ("cross_entropy(x, label)", F.cross_entropy),
    (
        'cross_entropy(rearrange(x, "n k t -> n t k"), label, axis=-1)',
        F.cross_entropy,
    ),
    ("roll(x, 2, axis=1)", lambda x, _: torch.roll(x, 2, 1)),
    ("roll(x, -1)", lambda x, _: torch.roll(x, -1, -1)),
    ("top_k(x, 3, axis=1)[0]", lambda x, _: torch.topk(x, 3, 1)[0]),
    (
        "cosine_similarity(x[:, :1], x, axis=2)",
        lambda x, _: F.cosine_similarity(x[:, :1], x, 2),
    ),
    (
        "nll_loss(log_softmax(x[:, :, -1], axis=1), label[:, -1])",
        lambda x, label: F.cross_entropy(x[:, :, -1], label[:, -1]),
    ),
    ("mse_loss(x, square(x))", lambda x, _: F.mse_loss(x, x * x)),
    ("l1_loss(x, square(x))", lambda x, _: F.l1_loss(x, x * x)),
    ("huber_loss(x, square(x), 1.5)", lambda x, _: F.huber_loss(x, x * x, delta=1.5)),
    (
        "binary_cross_entropy(x, sigmoid(x * 3))",
        lambda x, _: F.binary_cross_entropy_with_logits(x, torch.sigmoid(x * 3)),
    ),
]


@pytest.mark.parametrize(("text", "function"), FUNCTIONS, ids=[text for text, _ in FUNCTIONS])
def test_against_torch(
    text: str, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> None:
    graph = program(f"""
model M {{
  input x: f64[N, 5, T]
  input label: i64[N, T]
  y = {text}
  output y
  output dx = grad(sum(y * y), x)
}}""").graph
    found = run(expand_gradients(graph), {"x": X, "label": LABEL}).outputs
    x = torch.tensor(X, requires_grad=True)
    y = function(x, torch.tensor(LABEL))
    (y * y).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(found["y"], y.detach().numpy(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["dx"], x.grad.numpy(), rtol=1e-6, atol=1e-9)
