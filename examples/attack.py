"""Adversarial examples against LeNet-5, whose weights `nncomp train models/lenet5.nn` left.

python examples/attack.py [WEIGHTS]
"""

from __future__ import annotations

import sys

import numpy as np

import nncomp
from nncomp.driver.train import data_for

WEIGHTS = "out/zoo/10/best.safetensors"
EPSILON = 0.15


def main() -> None:
    weights = sys.argv[1] if len(sys.argv) > 1 else WEIGHTS
    lenet = nncomp.load("models/lenet5.nn", weights=weights)
    test = data_for(lenet.program, "sklearn:digits").test
    image, label = test["image"][:], test["label"][:]
    model = nncomp.load("models/fgsm.nn", weights=weights)
    clean = lenet(image=image)["logits"]
    seen = model(image=image, label=label, epsilon=np.float32(EPSILON))["logits"]
    print(f"clean {np.mean(clean.argmax(1) == label):.4f}")
    print(f"attacked {np.mean(seen.argmax(1) == label):.4f}")


if __name__ == "__main__":
    main()
