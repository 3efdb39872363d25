"""Pictures of docs/families/generative.md."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from drawing import OUT, command, picture, tiles
from sklearn.datasets import load_digits

import nncomp
from nncomp.driver.train import data_for


@picture
def codes() -> plt.Figure:
    """Digits from eight numbers: principal components, an autoencoder, a variational one."""
    command(
        "train models/pca.nn --data sklearn:digits --epochs 120 --batch-size 256 --lr 0.02 "
        "--schedule cosine -o pca"
    )
    command("train models/autoencoder.nn --data sklearn:digits --epochs 40 --schedule cosine -o ae")
    pca = nncomp.load("models/pca.nn", weights=OUT / "pca/best.safetensors")
    deep = nncomp.load("models/autoencoder.nn", weights=OUT / "ae/best.safetensors")
    x = data_for(pca.program, "sklearn:digits").test["x"][:10]
    rows = [x, pca(x=x)["y"], deep(x=x)["y"]]
    return tiles([row.reshape(-1, 8, 8) for row in rows], ["digits", "PCA", "autoencoder"])


@picture
def made_digits() -> plt.Figure:
    """Digits that a variational autoencoder makes up, and the way from one code to another."""
    command("train models/vae.nn --data sklearn:digits --epochs 30 -o vae")
    model = nncomp.load("models/vae.nn", weights=OUT / "vae/best.safetensors")
    z = np.random.default_rng(3).standard_normal((20, 8)).astype("f")
    x = data_for(model.program, "sklearn:digits").test["x"][:2]
    a, b = model(x=x)["mu"]
    way = np.linspace(a, b, 10).astype("f")
    made, between = (model.run({"z": c}, entry="sample")["x"].reshape(-1, 8, 8) for c in (z, way))
    return tiles([made[:10], made[10:], between], ["made up", "", "between two"])


@picture
def denoised() -> plt.Figure:
    """What a denoising autoencoder takes out."""
    command("train models/denoising_ae.nn --data sklearn:digits --epochs 20 -o denoising")
    model = nncomp.load("models/denoising_ae.nn", weights=OUT / "denoising/best.safetensors")
    x = load_digits().data[:10].astype("f") / 16
    seen = x + 0.3 * np.random.default_rng(0).standard_normal(x.shape).astype("f")
    rows = [seen, model.run({"seen": seen}, entry="clean")["y"], x]
    return tiles([np.clip(r, 0, 1).reshape(-1, 8, 8) for r in rows], ["seen", "said", "true"])
