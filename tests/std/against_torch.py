"""A function of the library beside PyTorch's: values, and gradients, by NumPy in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from tests.lower.programs import program

X = np.random.default_rng(0).normal(scale=2, size=(3, 5, 4))
LABEL = np.random.default_rng(1).integers(0, 5, (3, 4))

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def check(text: str, function: Function) -> None:
    """The expression in a model with `x: f64[N, 5, T]` and `label: i64[N, T]`, and the same in
    PyTorch."""
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
    (y * y).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    np.testing.assert_allclose(found["y"], y.detach().numpy(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["dx"], x.grad.numpy(), rtol=1e-6, atol=1e-9)
