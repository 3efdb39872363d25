"""Monte-Carlo dropout on wines: it learns two kinds, and is asked about a third.

python examples/uncertainty.py
"""

from __future__ import annotations

import numpy as np

import nncomp
from nncomp.training.sources import read_data

UNSEEN, EPOCHS = 1, 60


def main() -> None:
    wine = read_data("sklearn:wine").train
    x, label = wine["features"][:], wine["label"][:]
    known = label != UNSEEN
    rng = np.random.default_rng(0)
    test = rng.uniform(size=len(x)) < 0.3
    model = nncomp.load("models/mc_dropout.nn")
    train = known & ~test
    data = {"x": x[train], "label": label[train]}
    model.train(data, "out/zoo/65", epochs=EPOCHS, batch_size=32, split=(0.9, 0.1, 0.0))
    unsure = model(x=x)["uncertainty"]
    seen, unseen = unsure[known & test].mean(), unsure[~known].mean()
    print(f"uncertainty {seen:.4f} of kinds it knows, {unseen:.4f} of the one it does not")
    print(f"ratio {unseen / seen:.3f}")


if __name__ == "__main__":
    main()
