"""What autoencoders are held against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import nncomp
from nncomp.training.data import Split, load_data
from nncomp.types import Array
from zoo.figures.support import close, loaded
from zoo.marks import read
from zoo.row import Figure

RNG = np.random.default_rng(0)
Measure = Callable[[str, Path], float]


def _subspace() -> str:
    """The largest angle between the decoder's columns and the first singular vectors."""
    basis, _ = np.linalg.qr(RNG.standard_normal((10, 10)))
    x = RNG.standard_normal((200, 10)) * [5, 4, 3, 1, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1] @ basis.T
    x = (x - x.mean(axis=0)).astype("f")
    model = loaded("pca.nn", features=10, components=3)
    step = model.training_step()
    for number in range(1500):
        step(x=x, lr=0.02 * (1 - number / 1500))
    ours, _ = np.linalg.qr(model.parameters["decode.weight"])
    theirs = np.linalg.svd(x, full_matrices=False)[2][:3].T
    cosine = np.linalg.svd(ours.T @ theirs, compute_uv=False).min()
    angle = float(np.arccos(min(cosine, 1.0)))
    assert angle < 1e-2, f"the angle is {angle:.3f}"
    return f"angle {angle:.4f}"


def _kl() -> str:
    """KL by its closed form, and the gradient through the drawn code, both against PyTorch."""
    model = loaded("vae.nn", features=6, latent=2, hidden=5)
    x = RNG.uniform(size=(4, 6)).astype("f")
    found = model(x=x)
    mu, log_variance = (torch.from_numpy(found[n]) for n in ("mu", "log_variance"))
    q = torch.distributions.Normal(mu, (log_variance / 2).exp())
    p = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    kl = torch.distributions.kl_divergence(q, p).sum(1).mean().item()
    gradient = nncomp.grad(model, ["mu", "log_variance"], loss="kl")(x=x)
    close(np.array(gradient["kl"]), kl, 1e-5)
    close(gradient["grad/mu"], mu.numpy() / 4, 1e-5)
    return close(gradient["grad/log_variance"], (log_variance.exp().numpy() - 1) / 8, 1e-5)


def pca_error(width: int) -> float:
    """Mean squared error on the test digits of the best linear code of the training ones."""
    parts = digits()
    mean = parts["train"].mean(axis=0)
    basis = np.linalg.svd(parts["train"] - mean, full_matrices=False)[2][:width]
    centred = parts["test"] - mean
    return float(np.mean((centred - centred @ basis.T @ basis) ** 2))


def digits() -> dict[str, Array]:
    inputs = loaded("pca.nn").program.graph.inputs
    data = load_data("sklearn:digits", {v.name: v.type for v in inputs}, split=Split())
    return {"train": np.asarray(data.train["x"][:]), "test": np.asarray(data.test["x"][:])}


def over_pca(name: str, width: int) -> Measure:
    return lambda output, _: read(output, name) / pca_error(width)


def smallest(name: str) -> Measure:
    """Of the numbers that several commands print last."""
    return lambda output, _: min(read(part, name) for part in tests_of(output))


def away_from(name: str, target: float) -> Measure:
    return lambda output, _: abs(read(output, name) - target)


def ratio(name: str) -> Measure:
    """The number of the last command over that of the first."""

    def found(output: str, _: Path) -> float:
        parts = tests_of(output)
        return read(parts[-1], name) / read(parts[0], name)

    return found


def tests_of(output: str) -> list[str]:
    """The lines of the test samples, a command each."""
    return [line for line in output.splitlines() if line.startswith("test ")]


SUBSPACE = Figure("subspace of the SVD, angle < 1e-2", _subspace)
KL = Figure("KL in closed form, gradient through the draw", _kl)
