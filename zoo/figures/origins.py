"""What rows 62 to 67 are held against."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch

import nncomp
from nncomp.weights import load_weights
from zoo.figures.codes import digits
from zoo.figures.support import close, loaded
from zoo.row import Figure

RNG = np.random.default_rng(0)


def _circuits() -> str:
    """All 16 gates of two inputs, and the parity of all strings of n bits; the model itself asserts
    that it takes 3 (n - 1) units."""
    x = np.array(list(itertools.product([0, 1], repeat=2)), np.float32)
    gates = loaded("circuits.nn")(x=x)["gates"]
    table = [[k >> (3 - row) & 1 for k in range(16)] for row in range(4)]
    assert np.array_equal(gates, table), "a gate is wrong"
    for n in (2, 5, 8):
        x = np.array(list(itertools.product([0, 1], repeat=n)), np.float32)
        found = loaded("circuits.nn", "Parity", bits=n)(x=x)["parity"]
        assert np.array_equal(found, x.sum(1) % 2), f"parity of {n} bits"
    return "16 gates; n-bit parity by 3 (n-1) units at depth 2 ⌈log n⌉"


def _hebb() -> str:
    """The weight is the correlation; the model's step is Oja's formula."""
    model = loaded("hebb.nn", features=6, rate=0.02)
    x = RNG.standard_normal((20, 6)).astype("f")
    close(model(x=x)["correlation"], x.T @ x / len(x), 1e-5)
    w = model.parameters["w"]
    model.training_step()(x=x)
    c = 0.1 * x.mean(axis=0)
    y = (x - c) @ w
    expected = w + 0.02 * (y[:, None] * (x - c - y[:, None] * w)).mean(axis=0)
    return close(model.parameters["w"], expected, 1e-5)


def cosine(output: str, folder: Path) -> float:
    """Of the angle between row 63's weights and the first principal component of the digits."""
    w = load_weights(folder / "out/zoo/63/best.safetensors")["w"]
    x = digits()["train"]
    first = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][0]
    return float(abs(w @ first) / np.linalg.norm(w))


def _random_features() -> str:
    """The error of the kernel, with 16 times the features: a fourth."""
    x = RNG.standard_normal((40, 5)).astype("f")
    exact = np.exp(-0.1 * ((x[:, None] - x) ** 2).sum(2))
    errors = []
    for D in (64, 256, 1024, 4096):
        drawn = [
            nncomp.load("models/random_features.nn", features=5, D=D, gamma=0.1, seed=seed)
            for seed in range(4)
        ]
        squares = [np.mean((model(x=x)["kernel"] - exact) ** 2) for model in drawn]
        errors.append(float(np.sqrt(np.mean(squares))))
    slope = np.polyfit(np.log([64, 256, 1024, 4096]), np.log(errors), 1)[0]
    assert abs(slope + 0.5) < 0.1, f"the error falls as D^{slope:.2f}"
    return f"error falls as D^{slope:.2f}"


def _saliency() -> str:
    """½ h w² with the diagonal h of PyTorch's Hessian, which the estimate by random signs comes
    near with many draws."""
    model = loaded("pruning.nn", features=3, hidden=4, classes=3, draws=400)
    x, label = RNG.standard_normal((10, 3)).astype("f"), RNG.integers(0, 3, 10)
    found = model.run({"x": x, "label": label}, entry="saliency")
    p = {n: torch.from_numpy(w.astype(float)) for n, w in model.parameters.items()}
    given, target = torch.from_numpy(x.astype(float)), torch.from_numpy(label)

    def loss(w2: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(given @ p["w1"] + p["b1"])
        return torch.nn.functional.cross_entropy(hidden @ w2 + p["b2"], target)

    hessian = torch.autograd.functional.hessian(loss, p["w2"]).reshape(12, 12)
    expected = 0.5 * hessian.diag().reshape(4, 3) * p["w2"] ** 2
    close(found["s2"], expected.numpy(), 0.15)
    return "= ½ h w², h by forward over reverse"


def _reinforce() -> str:
    """The mean over many texts of score × advantage is the gradient of the expected reward, which
    PyTorch gets by going through all texts."""
    symbols, length, batch = 3, 2, 50_000
    model = loaded("rlhf.nn", symbols=symbols, length=length, hidden=5, entropy=0.0)
    start = np.tile(RNG.standard_normal(5).astype("f"), (batch, 1))
    found = nncomp.grad(model, "head.weight", section="policy")(start=start)["grad/head.weight"]
    texts = np.array(list(itertools.product(range(symbols), repeat=length)))
    reward = torch.from_numpy(model.run({"text": texts}, entry="judge")["value"])
    p = {n: torch.from_numpy(w) for n, w in model.parameters.items()}
    weight = p["head.weight"].requires_grad_()
    cell = torch.nn.GRUCell(5, 5)
    with torch.no_grad():
        for name, value in cell.named_parameters():
            value.copy_(p[f"cell.{name}"])
    h = torch.from_numpy(start[: len(texts)])
    symbol, log_p = torch.zeros(len(texts), dtype=torch.int64), torch.zeros(len(texts))
    for position in range(length):
        h = cell(p["embedding.weight"][symbol], h)
        symbol = torch.from_numpy(texts[:, position])
        logits = h @ weight.T + p["head.bias"]
        log_p = log_p + logits.log_softmax(1)[torch.arange(len(texts)), symbol]
    (log_p.exp() * reward).sum().backward()
    assert weight.grad is not None
    close(found, -weight.grad.numpy(), 0.05)
    return "its mean is the gradient of the expected reward"


CIRCUITS = Figure("every gate; parity with O(n) units", _circuits)
HEBB = Figure("weight = correlation; Oja's formula", _hebb)
RANDOM_FEATURES = Figure("kernel error falls as 1/√D", _random_features)
SALIENCY = Figure("saliency = ½ h w²", _saliency)
REINFORCE = Figure("REINFORCE = score × advantage", _reinforce)
