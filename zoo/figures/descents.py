"""What rows 43, 44 and 60 are held against."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import nncomp
from tests.models import support
from zoo.figures.support import close, loaded
from zoo.row import Figure

RNG = np.random.default_rng(0)


def _gram() -> str:
    """The gradient of the whole loss with respect to the image, in PyTorch."""
    model = loaded("style.nn", size=8, widths=[3, 4])
    content, style = RNG.uniform(size=(2, 1, 3, 8, 8)).astype("f")
    found = nncomp.grad(model, "image")(content=content, style=style)
    p = {n: torch.from_numpy(w) for n, w in model.parameters.items()}

    def features(x: torch.Tensor) -> list[torch.Tensor]:
        a = functional.conv2d(x, p["features.conv.0.weight"], p["features.conv.0.bias"], padding=1)
        y = functional.avg_pool2d(a.relu(), 2)
        b = functional.conv2d(y, p["features.conv.1.weight"], p["features.conv.1.bias"], padding=1)
        return [a.relu(), b.relu()]

    def gram(f: torch.Tensor) -> torch.Tensor:
        f = f.flatten(2)
        return f @ f.transpose(1, 2) / f[0].numel()

    image = p["image"].requires_grad_()
    F, P, A = (features(x) for x in (image, torch.from_numpy(content), torch.from_numpy(style)))
    style_loss = sum(((gram(f) - gram(a)) ** 2).sum() for f, a in zip(F, A, strict=True))
    loss = functional.mse_loss(F[-1], P[-1]) + 1e3 * style_loss
    loss.backward()
    close(found["loss"], loss.item(), 1e-4)
    assert image.grad is not None
    return close(found["grad/image"], image.grad.numpy(), 1e-4)


def _input_gradient() -> str:
    """The sign of PyTorch's gradient of the loss with respect to the image."""
    model = loaded("fgsm.nn")
    image = RNG.uniform(0.3, 0.7, (4, 1, 28, 28)).astype("f")
    label = RNG.integers(0, 10, 4)
    found = model(image=image, label=label, epsilon=np.float32(0.1))["adversarial"]
    module = support.with_weights(support.lenet(), model.graph, model.parameters)
    given = torch.from_numpy(image).requires_grad_()
    functional.cross_entropy(module(given), torch.from_numpy(label)).backward()
    assert given.grad is not None
    gradient = given.grad.numpy()
    sure = np.abs(gradient) > 1e-4 * np.abs(gradient).max()
    return close(found[sure], (image + 0.1 * np.sign(gradient))[sure], 1e-5)


def rise(folder: str, name: str) -> Callable[[str, Path], float]:
    """How many times larger a number is at the end of the log than at its beginning."""

    def found(_: str, root: Path) -> float:
        lines = (root / "out/zoo" / folder / "log.jsonl").read_text().splitlines()
        steps = [record for record in map(json.loads, lines) if name in record]
        return float(steps[-1][name] / steps[0][name])

    return found


GRAM = Figure("gradient of the Gram loss = torch", _gram)
INPUT_GRADIENT = Figure("gradient with respect to the input = torch", _input_gradient)
