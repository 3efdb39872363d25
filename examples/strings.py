"""The Transformer repeats strings of ten symbols, and says them backwards.

    python examples/strings.py

The number is the share of symbols that are right in the strings that it says by itself, each symbol
by what it said before, of the task that it does worse.
"""

from __future__ import annotations

import numpy as np

import nncomp
from nncomp.training.sources import read_data

SIZES = {"layers": 1, "width": 64, "heads": 4, "hidden": 128, "vocabulary": 10}
EPOCHS, TESTED = 4, 2000


def main() -> None:
    right = []
    for task in ("copy", "reverse"):
        model = nncomp.load("models/transformer.nn", **SIZES, dropout=0.0, warmup=300)
        data = read_data(f"generated:{task}").train
        strings = {name: array[:] for name, array in data.items()}
        learnt = {name: array[:-TESTED] for name, array in strings.items()}
        model.train(learnt, f"out/zoo/32-{task}", epochs=EPOCHS, split=(0.9, 0.1, 0.0))
        said = translate(model, strings["source"][-TESTED:])
        right.append(float((said == strings["label"][-TESTED:]).mean()))
        print(f"{task}: {right[-1]:.4f} of the symbols are right")
    print(f"accuracy {min(right):.4f}")


def translate(model: nncomp.Model, source: np.ndarray) -> np.ndarray:
    """The likeliest symbol after those that were said, as many as the source has: i64 [N, S]."""
    memory = model.run({"source": source}, entry="encode")["memory"]
    target = np.zeros((len(source), 1), np.int64)
    for _ in range(source.shape[1]):
        logits = model.run({"target": target, "memory": memory}, entry="decode")["logits"]
        target = np.concatenate([target, logits[:, -1:].argmax(axis=2)], axis=1)
    return target[:, 1:]


if __name__ == "__main__":
    main()
