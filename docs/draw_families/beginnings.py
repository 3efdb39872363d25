"""Pictures of docs/families/beginnings.md."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from drawing import OUT, chart, command, picture, tiles
from sklearn.datasets import load_digits

import nncomp


@picture
def oja() -> plt.Figure:
    """The weights that Oja's rule finds beside the first principal component."""
    command("train models/hebb.nn --data sklearn:digits --epochs 30 --keep last -o hebb")
    w = nncomp.load("models/hebb.nn", weights=OUT / "hebb/best.safetensors").parameters["w"]
    x = load_digits().data / 16
    first = np.linalg.svd(x - x.mean(0))[2][0]
    first *= np.sign(first @ w)
    return tiles([np.stack([w, first]).reshape(-1, 8, 8)], ["Oja, SVD"], side=1.0)


@picture
def random_features() -> plt.Figure:
    """The error of a kernel by random features, by how many there are."""
    figure, axis = chart("features D", "error of the kernel", log=True)
    axis.set_xscale("log")
    x = np.random.default_rng(0).standard_normal((40, 5)).astype("f")
    exact = np.exp(-0.1 * ((x[:, None] - x) ** 2).sum(2))
    counts, errors = [32, 64, 128, 256, 512, 1024, 2048], []
    for D in counts:
        drawn = [
            nncomp.load("models/random_features.nn", features=5, D=D, gamma=0.1, seed=seed)
            for seed in range(4)
        ]
        squares = [np.mean((model(x=x)["kernel"] - exact) ** 2) for model in drawn]
        errors.append(float(np.sqrt(np.mean(squares))))
    axis.plot(counts, errors, marker="o", label="random features")
    axis.plot(counts, errors[0] * np.sqrt(counts[0] / np.array(counts)), "--", label="1 / √D")
    axis.legend(fontsize=7)
    return figure
