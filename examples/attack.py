"""Adversarial examples against LeNet-5, whose weights `nncomp train models/lenet5.nn` left.

python examples/attack.py [WEIGHTS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import nncomp
from nncomp.driver.train import data_for
from nncomp.weights import save_weights

WEIGHTS = "out/zoo/10/best.safetensors"
BARE = Path("out/zoo/60/lenet5.safetensors")
EPSILON = 0.15


def main() -> None:
    BARE.parent.mkdir(parents=True, exist_ok=True)
    weights = sys.argv[1] if len(sys.argv) > 1 else WEIGHTS
    lenet = nncomp.load("models/lenet5.nn", weights=weights)
    test = data_for(lenet.program, "sklearn:digits").test
    image, label = test["image"][:], test["label"][:]
    names = nncomp.load("models/fgsm.nn").parameters  # without what the optimiser remembers
    save_weights(BARE, {name: lenet.parameters[name] for name in names})
    model = nncomp.load("models/fgsm.nn", weights=BARE)
    clean = lenet(image=image)["logits"]
    seen = model(image=image, label=label, epsilon=np.float32(EPSILON))["logits"]
    print(f"clean {np.mean(clean.argmax(1) == label):.4f}")
    print(f"attacked {np.mean(seen.argmax(1) == label):.4f}")


if __name__ == "__main__":
    main()
