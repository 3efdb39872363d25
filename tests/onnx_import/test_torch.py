"""What PyTorch's two exporters write: imported, any batch, PyTorch's own outputs."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nncomp
from nncomp.ir.verify import verify
from tests.onnx_import.networks import FAST, NOT_BY_TORCHSCRIPT, SLOW, network

CASES = [
    pytest.param(name, dynamo, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in (*FAST, *SLOW)
    for dynamo in (True, False)
    if dynamo or name not in NOT_BY_TORCHSCRIPT
]


def export(model: nn.Module, x: Tensor, path: Path, dynamo: bool) -> None:
    """Writes the network with any batch, and for tokens any length."""
    names = {0: "batch", 1: "length"} if x.dtype is torch.int64 else {0: "batch"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            if dynamo:
                shapes = {axis: torch.export.Dim(n, min=2, max=64) for axis, n in names.items()}
                torch.onnx.export(
                    model, (x,), path, dynamo=True, dynamic_shapes=(shapes,), verbose=False
                )
            else:
                torch.onnx.export(
                    model,
                    (x,),
                    path,
                    dynamo=False,
                    input_names=["x"],
                    dynamic_axes={"x": names},
                    opset_version=17,
                )
        finally:
            logging.disable(logging.NOTSET)


@pytest.mark.parametrize(("name", "dynamo"), CASES)
def test_export(name: str, dynamo: bool, tmp_path: Path) -> None:
    network_, x = network(name)
    path = tmp_path / "model.onnx"
    export(network_, x, path, dynamo)
    model = nncomp.load(path)
    verify(model.graph)
    assert str(model.graph.inputs[0].shape[0]) == "batch"
    for given in (x, torch.cat([x, x[:1]])):
        with torch.no_grad():
            expected = network_(given)
        expected = expected if isinstance(expected, tuple) else (expected,)
        inputs = {model.graph.inputs[0].name: given.numpy()}
        for backend, level in (("numpy", 0), ("numpy", 2), ("onnx", 2)):
            found = model.run(inputs, backend=backend, level=level)
            for array, wanted in zip(found.values(), expected, strict=True):
                np.testing.assert_allclose(array, wanted.numpy(), rtol=1e-3, atol=1e-5)


def test_gradient_of_an_import(tmp_path: Path) -> None:
    """A loss that PyTorch exported, differentiated here: its own gradients."""

    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(self.linear(x)).square().mean()

    loss, x = Loss(), torch.randn(5, 4, requires_grad=True)
    loss(x).backward()
    export(loss, x.detach(), tmp_path / "loss.onnx", dynamo=True)
    model = nncomp.load(tmp_path / "loss.onnx")
    name = model.graph.inputs[0].name
    found = nncomp.grad(model, [name, "linear.bias"])(**{name: x.detach().numpy()})
    assert x.grad is not None
    assert loss.linear.bias.grad is not None
    np.testing.assert_allclose(found[f"grad/{name}"], x.grad.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        found["grad/linear.bias"], loss.linear.bias.grad.numpy(), rtol=1e-4, atol=1e-6
    )
