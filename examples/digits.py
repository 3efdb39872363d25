"""A DCGAN makes digits, which row 10's LeNet-5 judges.

    python examples/digits.py

Needs the weights that `nncomp train models/lenet5.nn` left for row 10. All digits of the set, those
too that LeNet-5 has not seen, stand in the middle of images of twice their size, the rest of which
is black, and are cut out of the samples. The number is how sure LeNet-5 is of these, on average; 0
where a class has less than 4 % of them, or where it would be as sure of noise.
"""

from __future__ import annotations

import numpy as np

import nncomp
from nncomp.training.images import resize
from nncomp.training.sources import read_data
from nncomp.types import Array, DType, TensorType

LENET = "out/zoo/10/best.safetensors"
LATENT = 32
SIZES = {"latent": LATENT, "widths": [32, 64], "channels": 1}
EPOCHS, BATCH, RATE, WARMUP, AVERAGE = 180, 32, 1e-3, 20, 0.99
SIDE, MARGIN = 8, 4
SAMPLES, LEAST = 1000, 0.04


def main() -> None:
    model = nncomp.load("models/dcgan.nn", **SIZES)
    digits = read_data("sklearn:digits", {"image": TensorType(DType.F32, ("N", 1, SIDE, SIDE))})
    edges = [(0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)]
    images = {"image": np.pad(digits.train["image"][:], edges)}
    options = {"epochs": EPOCHS, "batch_size": BATCH, "schedule": "cosine", "warmup": WARMUP}
    options |= {"split": (1, 0, 0), "keep": "last", "target": "onnxruntime-cpu"}
    model.train(images, "out/zoo/42", lr=RATE, average=AVERAGE, **options)
    rng = np.random.default_rng(0)
    z = rng.standard_normal((SAMPLES, LATENT)).astype(np.float32)
    middle = slice(MARGIN, MARGIN + SIDE)
    made = model.run({"z": z}, entry="sample")["made"][:, :, middle, middle]
    shares, sure = judged(made)
    noise, doubt = judged(rng.uniform(size=made.shape).astype(np.float32))
    print("shares", *(f"{share:.3f}" for share in shares), f"noise's least {noise.min():.3f}")
    print(f"{sure:.4f} sure of the samples, {doubt:.4f} of noise")
    print(f"confidence {sure if shares.min() >= LEAST and doubt < sure else 0.0:.4f}")


def judged(images: Array) -> tuple[Array, float]:
    """The share of each class, and the mean probability of the likeliest."""
    lenet = nncomp.load("models/lenet5.nn", weights=LENET)
    logits = lenet(image=resize(images, 28, 28))["logits"].astype(float)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    classes = np.bincount(p.argmax(axis=1), minlength=p.shape[1])
    return classes / len(images), float(p.max(axis=1).mean())


if __name__ == "__main__":
    main()
