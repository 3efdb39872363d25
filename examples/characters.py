"""Which character comes next in scikit-learn's data-set descriptions: row 28.

    python examples/characters.py

The last tenth of the text is held out. The number is how many bits each of its characters takes, of
which the network has seen 128 to 159 before. It learns from them too, once it has predicted them:
dynamic evaluation (Graves, 2013, section 3). No other part of the text is kept to choose settings
on, the rate of that among them: they count as chosen on the held-out text.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import numpy as np

import nncomp

HELD_OUT, HIDDEN = 0.1, 128
WINDOW, BATCH, EPOCHS, RATE, WARMUP, AVERAGE = 128, 8, 12, 6e-3, 50, 0.98
SEEN, SAID = 128, 32  # of the held-out text, by a window: characters that are given, and judged
FOLLOWS = 5e-4  # the rate at which it learns from them afterwards

Batch = dict[str, np.ndarray]


def main() -> None:
    text = descriptions()
    alphabet = sorted(set(text))
    codes = np.array([alphabet.index(character) for character in text])
    cut = round(len(codes) * (1 - HELD_OUT))
    steps = (cut // WINDOW - 2) // BATCH
    model = nncomp.load("models/deep_rnn.nn", hidden=HIDDEN, symbols=len(alphabet))

    def batches(epoch: int) -> Iterator[Batch]:
        """Windows behind one another, from another character on and in another order each time."""
        rng = np.random.default_rng(epoch)
        first = rng.integers(WINDOW)
        starts = rng.permutation(np.arange(first, cut - WINDOW, WINDOW))
        for chosen in starts[: steps * BATCH].reshape(steps, BATCH):
            yield given(codes[chosen[:, None] + np.arange(WINDOW + 1)])

    options = {"epochs": EPOCHS, "lr": RATE, "schedule": "cosine", "warmup": WARMUP}
    options |= {"keep": "last", "average": AVERAGE}
    model.train(batches, "out/zoo/28", steps=steps, **options)

    starts = np.arange(cut, len(codes) - SAID, SAID)
    windows = codes[starts[:, None] + np.arange(-SEEN, SAID)]
    fixed = np.mean([bits(model, window) for window in windows])
    step, found = model.training_step(), []
    for window in windows:
        found.append(bits(model, window))
        step(**given(window[None]), lr=FOLLOWS)
    print(f"{fixed:.4f} without learning from the held-out text")
    print(f"bits {np.mean(found):.4f}")


def descriptions() -> str:
    """All descriptions behind one another."""
    folder = files("sklearn.datasets.descr")
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".rst")), key=lambda f: f.name)
    return "".join(file.read_text("utf-8") for file in found)


def given(windows: np.ndarray) -> Batch:
    """What the train section takes."""
    return {"tokens": windows[:, :-1], "next": windows[:, 1:]}


def bits(model: nncomp.Model, window: np.ndarray) -> float:
    """Of the last SAID characters of a window, on average, each from those before it."""
    logits = model(tokens=window[None, :-1])["logits"][0, -SAID:].astype(float)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return float(-np.log2(share[np.arange(SAID), window[-SAID:]]).mean())


if __name__ == "__main__":
    main()
