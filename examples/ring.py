"""A GAN learns points around a circle: how many of the eight places does it find?

    python examples/ring.py

The generator turns noise of two dims into points of two; its weights are averaged over the steps,
which circle around an equilibrium. A place is found if one in a hundred samples lies within three
deviations of it.
"""

from __future__ import annotations

import numpy as np

import nncomp

MODES, SPREAD, SAMPLES = 8, 0.05, 4000
LATENT, HIDDEN, AVERAGE = 2, 64, 0.998


def main() -> None:
    model = nncomp.load("models/gan.nn", latent=LATENT, hidden=HIDDEN)
    options = {"epochs": 150, "batch_size": 256, "keep": "last"}
    model.train("generated:ring", "out/zoo/41", average=AVERAGE, **options)
    z = np.random.default_rng(0).standard_normal((SAMPLES, LATENT)).astype(np.float32)
    made = model.run({"z": z}, entry="sample")["made"]
    angle = 2 * np.pi * np.arange(MODES) / MODES
    centre = np.stack([np.cos(angle), np.sin(angle)], 1)
    near = np.linalg.norm(made[:, None] - centre, axis=2) < 3 * SPREAD
    print("shares", *(f"{share:.3f}" for share in near.mean(axis=0)))
    print(f"modes {int((near.mean(axis=0) > 0.01).sum())}")


if __name__ == "__main__":
    main()
