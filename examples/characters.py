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
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

import nncomp

HELD_OUT, WARMUP, AVERAGE = 0.1, 50, 0.98
SEEN, SAID = 128, 32  # of the held-out text, by a window: characters that are given, and judged
GPT = {"layers": 2, "width": 64, "heads": 4, "context": SEEN + SAID}


@dataclass(frozen=True)
class Run:
    """How a network learns: from windows of so many characters, a batch of them a step.

    follows: the rate at which it learns from the held-out text afterwards
    """

    row: int
    sizes: dict[str, int]
    window: int
    batch: int
    epochs: int
    rate: float
    follows: float


RUNS = {
    "deep_rnn": Run(28, {"hidden": 128}, 128, 8, 12, 6e-3, 5e-4),
    "gpt": Run(34, GPT, SEEN + SAID, 4, 50, 4e-3, 1e-4),  # all places of its context are learnt
}

Batch = dict[str, np.ndarray]


def main(name: str) -> None:
    run = RUNS[name]
    codes = text()
    cut = round(len(codes) * (1 - HELD_OUT))
    steps = (cut // run.window - 2) // run.batch
    symbols = {"vocabulary" if name == "gpt" else "symbols": int(codes.max()) + 1}
    model = nncomp.load(f"models/{name}.nn", **run.sizes, **symbols)

    def batches(epoch: int) -> Iterator[Batch]:
        """Windows behind one another, from another character on and in another order each time."""
        rng = np.random.default_rng(epoch)
        first = rng.integers(run.window)
        starts = rng.permutation(np.arange(first, cut - run.window, run.window))
        for chosen in starts[: steps * run.batch].reshape(steps, run.batch):
            yield given(name, codes[chosen[:, None] + np.arange(run.window + 1)])

    options = {"epochs": run.epochs, "lr": run.rate, "schedule": "cosine", "warmup": WARMUP}
    options |= {"keep": "last", "average": AVERAGE}
    model.train(batches, f"out/zoo/{run.row}", steps=steps, **options)

    starts = np.arange(cut, len(codes) - SAID, SAID)
    windows = codes[starts[:, None] + np.arange(-SEEN, SAID)]
    fixed = np.mean([bits(model, window) for window in windows])
    step, found = model.training_step(), []
    for window in windows:
        found.append(bits(model, window))
        step(**given(name, window[None]), lr=run.follows)
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
        return {"tokens": windows[:, : RUNS[name].window]}
    return {"tokens": windows[:, :-1], "next": windows[:, 1:]}


def bits(model: nncomp.Model, window: np.ndarray) -> float:
    """Of the last characters of a window, on average, each from those before it."""
    logits = model(tokens=window[None, :-1])["logits"][0, -SAID:].astype(float)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return float(-np.log2(share[np.arange(SAID), window[-SAID:]]).mean())


if __name__ == "__main__":
    main(sys.argv[1])
