"""Pictures of docs/families/energy.md."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from drawing import OUT, command, picture, tiles
from sklearn.datasets import load_digits

import nncomp


@picture
def recalled() -> plt.Figure:
    """A Hopfield network recalls digits of which a fifth of the bits are flipped."""
    digits = load_digits()
    first = [int(np.flatnonzero(digits.target == label)[0]) for label in range(10)]
    patterns = np.where(digits.data[first] > 7, 1, -1).astype("f")
    rng, state = np.random.default_rng(0), patterns.copy()
    for row in state:
        row[rng.choice(64, 13, replace=False)] *= -1
    found = nncomp.load("models/hopfield.nn")(patterns=patterns, state=state)["recalled"]
    print(f"recalled {np.mean((found == patterns).all(axis=1)):.1f}")
    rows = [a.reshape(-1, 8, 8) for a in (patterns, state, found)]
    return tiles(rows, ["stored", "seen", "recalled"])


@picture
def rbm_units() -> plt.Figure:
    """Hidden units of a restricted Boltzmann machine, and what it makes of digits."""
    command("train models/rbm.nn --data sklearn:digits --epochs 30 --keep last -o rbm")
    model = nncomp.load("models/rbm.nn", weights=OUT / "rbm/best.safetensors")
    W = model.parameters["rbm.W"].reshape(-1, 8, 8)
    v = load_digits().data[:10].astype("f") / 16
    rows = [W[:10], W[10:20], v.reshape(-1, 8, 8), model(v=v)["again"].reshape(-1, 8, 8)]
    return tiles(rows, ["units", "", "digits", "again"])
