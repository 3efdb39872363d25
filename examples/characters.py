"""Which character comes next in scikit-learn's data-set descriptions: rows 28 and 34.

    python examples/characters.py deep_rnn
    python examples/characters.py gpt

The last tenth of the text is held out. The number is how many bits each of its characters takes,
of which the network has seen the 128 to 159 before. It learns from them too, once it has predicted
them: dynamic evaluation (Graves, 2013, section 3).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.resources import files

import numpy as np

import nncomp

HELD_OUT, WINDOW, BATCH, WARMUP, AVERAGE = 0.1, 128, 8, 50, 0.98
SEEN, SAID = 128, 32  # of the held-out text, by a window: characters that are given, and judged
FOLLOWS = 5e-4  # the rate at which it learns from them afterwards
RUNS = {
    "deep_rnn": (28, {"hidden": 128}, 12, 6e-3),
    "gpt": (34, {"layers": 2, "width": 64, "heads": 4, "context": SEEN + SAID}, 8, 4e-3),
}

Batch = dict[str, np.ndarray]


def main(name: str) -> None:
    number, sizes, epochs, rate = RUNS[name]
    codes = text()
    cut = round(len(codes) * (1 - HELD_OUT))
    steps = (cut // WINDOW - 2) // BATCH
    symbols = {"vocabulary" if name == "gpt" else "symbols": int(codes.max()) + 1}
    model = nncomp.load(f"models/{name}.nn", **sizes, **symbols)

    def batches(epoch: int) -> Iterator[Batch]:
        """Windows behind one another, from another character on and in another order each time."""
        rng = np.random.default_rng(epoch)
        starts = rng.permutation(np.arange(rng.integers(WINDOW), cut - WINDOW, WINDOW))
        for chosen in starts[: steps * BATCH].reshape(steps, BATCH):
            yield given(name, codes[chosen[:, None] + np.arange(WINDOW + 1)])

    options = {"epochs": epochs, "lr": rate, "schedule": "cosine", "warmup": WARMUP}
    options |= {"keep": "last", "average": AVERAGE}
    model.train(batches, f"out/zoo/{number}", steps=steps, **options)

    starts = np.arange(cut, len(codes) - SAID, SAID)
    windows = codes[starts[:, None] + np.arange(-SEEN, SAID)]
    fixed = np.mean([bits(model, window) for window in windows])
    step, found = model.training_step(), []
    for window in windows:
        found.append(bits(model, window))
        step(**given(name, window[None]), lr=FOLLOWS)
    print(f"{fixed:.4f} without learning from the held-out text")
    print(f"bits {np.mean(found):.4f}")


def text() -> np.ndarray:
    """All descriptions behind one another, as the numbers of their characters."""
    folder = files("sklearn.datasets.descr")
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".rst")), key=lambda f: f.name)
    characters = "".join(file.read_text("utf-8") for file in found)
    alphabet = sorted(set(characters))
    return np.array([alphabet.index(character) for character in characters])


def given(name: str, windows: np.ndarray) -> Batch:
    """What the train section takes; GPT's reads which characters are next from the same tokens."""
    if name == "gpt":
        return {"tokens": windows}
    return {"tokens": windows[:, :-1], "next": windows[:, 1:]}


def bits(model: nncomp.Model, window: np.ndarray) -> float:
    """Of the last characters of a window, on average, each from those before it."""
    logits = model(tokens=window[None, :-1])["logits"][0, -SAID:].astype(float)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return float(-np.log2(share[np.arange(SAID), window[-SAID:]]).mean())


if __name__ == "__main__":
    main(sys.argv[1])
