"""A DCGAN makes digits, which row 10's LeNet-5 judges.

    python examples/digits.py

Needs the weights that `nncomp train models/lenet5.nn` left for row 10. The number is how sure
LeNet-5 is of the samples, on average; 0 where a class has less than 4 % of them, or where it would
be as sure of noise.
"""

from __future__ import annotations

import numpy as np

import nncomp
from nncomp.training.images import resize

LENET = "out/zoo/10/best.safetensors"
SIZES = {"latent": 32, "width": 64, "levels": 1, "channels": 1}
SAMPLES, LEAST = 1000, 0.04


def main() -> None:
    model = nncomp.load("models/dcgan.nn", **SIZES)
    options = {"epochs": 150, "batch_size": 64, "keep": "last"}
    model.train("sklearn:digits", "out/zoo/42", lr=5e-4, average=0.99, **options)
    rng = np.random.default_rng(0)
    z = rng.standard_normal((SAMPLES, SIZES["latent"])).astype(np.float32)
    made = model.run({"z": z}, entry="sample")["made"]
    shares, sure = judged(made)
    noise, doubt = judged(rng.uniform(size=made.shape).astype(np.float32))
    print("shares", *(f"{share:.3f}" for share in shares), f"noise's least {noise.min():.3f}")
    print(f"{sure:.4f} sure of the samples, {doubt:.4f} of noise")
    print(f"confidence {sure if shares.min() >= LEAST and doubt < sure else 0.0:.4f}")


def judged(images: np.ndarray) -> tuple[np.ndarray, float]:
    """The share of each class, and the mean probability of the likeliest."""
    lenet = nncomp.load("models/lenet5.nn", weights=LENET)
    logits = lenet(image=resize(images, 28, 28))["logits"].astype(float)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    classes = np.bincount(p.argmax(axis=1), minlength=p.shape[1])
    return classes / len(images), float(p.max(axis=1).mean())


if __name__ == "__main__":
    main()
