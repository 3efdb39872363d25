"""A diffusion model draws digits as it is told, which row 10's LeNet-5 reads.

    python examples/guided.py

Needs the weights that `nncomp train models/lenet5.nn` left for row 10. The number is the share of
the samples that LeNet-5 reads as they were told, with guidance; beside it, without.
"""

from __future__ import annotations

import numpy as np

import nncomp
from nncomp.training.images import resize

LENET = "out/zoo/10/best.safetensors"
WIDTH, EPOCHS, AVERAGE, WARMUP = 16, 30, 0.99, 100
SAMPLES, CLASSES, GUIDANCE = 500, 10, 3.0


def main() -> None:
    model = nncomp.load("models/diffusion.nn", width=WIDTH)
    options = {"epochs": EPOCHS, "schedule": "cosine", "warmup": WARMUP, "keep": "last"}
    model.train("sklearn:digits", "out/zoo/45", average=AVERAGE, **options)
    noise = np.random.default_rng(0).standard_normal((SAMPLES, 1, 8, 8)).astype(np.float32)
    label = np.arange(SAMPLES) % CLASSES
    lenet = nncomp.load("models/lenet5.nn", weights=LENET)
    for guidance in (1.0, GUIDANCE):
        given = {"noise": noise, "label": label, "guidance": np.float32(guidance)}
        made = model.run(given, entry="sample")["image"]
        read = lenet(image=resize(made, 28, 28))["logits"].argmax(axis=1)
        print(f"guidance {guidance:g}: {np.mean(read == label):.4f} as they were told")
    print(f"agreement {np.mean(read == label):.4f}")


if __name__ == "__main__":
    main()
