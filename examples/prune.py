"""Pruning by Optimal Brain Damage: a network for digits without seven of ten weights.

python examples/prune.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import nncomp
from nncomp.driver.train import data_for
from nncomp.weights import save_weights

FILE, OUT = "models/pruning.nn", Path("out/zoo/66")
PRUNED, ROUNDS = 0.7, 3


def main() -> None:
    model = nncomp.load(FILE)
    test = data_for(model.program, "sklearn:digits").test
    train = data_for(model.program, "sklearn:digits").train
    model.train("sklearn:digits", OUT / "whole", epochs=20)
    before = accuracy(model, test)
    for number in range(1, ROUNDS + 1):
        given = {"x": train["x"][:], "label": train["label"][:]}
        found = model.run(given, entry="saliency")
        weights = model.parameters
        share = 1 - (1 - PRUNED) ** (number / ROUNDS)
        for name, saliency in (("m1", found["s1"]), ("m2", found["s2"])):
            rest = np.where(weights[name] > 0, saliency, -np.inf)
            least = np.sort(rest, axis=None)[round(share * rest.size)]
            weights[name] = (rest >= least).astype(np.float32)
        save_weights(OUT / "pruned.safetensors", weights)
        model = nncomp.load(FILE, weights=OUT / "pruned.safetensors")
        model.train("sklearn:digits", OUT / f"round{number}", epochs=8)
    left = model.parameters
    share = 1 - np.mean(np.concatenate([left["m1"].ravel(), left["m2"].ravel()]))
    after = accuracy(model, test)
    print(f"accuracy {before:.4f}, {after:.4f} with {share:.1%} of the weights pruned")
    print(f"lost {100 * (before - after):.2f}")


def accuracy(model: nncomp.Model, test: dict[str, np.ndarray]) -> float:
    return float(np.mean(model(x=test["x"][:])["logits"].argmax(1) == test["label"][:]))


if __name__ == "__main__":
    main()
