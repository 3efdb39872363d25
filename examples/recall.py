"""A Hopfield network recalls digits of which a fifth of the bits are flipped.

    python examples/recall.py

One digit of each class is stored, as 8×8 pixels that are on or off.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

import nncomp

FLIPPED = 0.2


def main() -> None:
    digits = load_digits()
    first = [int(np.flatnonzero(digits.target == label)[0]) for label in range(10)]
    patterns = np.where(digits.data[first] > 7, 1, -1).astype(np.float32)
    rng = np.random.default_rng(0)
    state = patterns.copy()
    for row in state:
        row[rng.choice(64, round(FLIPPED * 64), replace=False)] *= -1
    recalled = nncomp.load("models/hopfield.nn")(patterns=patterns, state=state)["recalled"]
    for before, after in zip(state[3].reshape(8, 8), recalled[3].reshape(8, 8), strict=True):
        print("".join(" #"[int(v > 0)] for v in before), "".join(" #"[int(v > 0)] for v in after))
    print(f"recalled {np.mean((recalled == patterns).all(axis=1)):.2f}")


if __name__ == "__main__":
    main()
