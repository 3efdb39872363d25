"""Which character comes next in scikit-learn's data-set descriptions: rows 28 and 34.

    python examples/characters.py deep_rnn
    python examples/characters.py gpt

The last tenth of the text is held out. The number is how many bits each of its characters takes,
of which the network has seen 128 to 159 before, GPT 48 to 63. It learns from them too, once it has
predicted them: dynamic evaluation (Graves, 2013, section 3).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

import nncomp

HELD_OUT, WARMUP, AVERAGE = 0.1, 50, 0.98
GPT: dict[str, int | float] = {
    "layers": 2,
    "width": 64,
    "heads": 4,
    "context": 64,
    "dropout": 0.1,
}


@dataclass(frozen=True)
class Run:
    """How a network learns: from windows of so many characters, a batch of them a step.

    seen, said: of the held-out text, by a window: characters that are given, and judged
    follows: the rate at which it learns from the held-out text afterwards
    section: the `train` section
    """

    row: int
    sizes: Mapping[str, int | float]
    window: int
    batch: int
    epochs: int
    rate: float
    seen: int
    said: int
    follows: float
    section: str | None = None


RUNS = {
    "deep_rnn": Run(28, {"hidden": 128}, 128, 8, 12, 6e-3, 128, 32, 5e-4),
    "gpt": Run(34, GPT, 64, 16, 40, 0.0125, 48, 16, 1e-3, "muon"),
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
    options |= {"keep": "last", "average": AVERAGE, "section": run.section}
    model.train(batches, f"out/zoo/{run.row}", steps=steps, **options)

    starts = np.arange(cut, len(codes) - run.said, run.said)
    windows = codes[starts[:, None] + np.arange(-run.seen, run.said)]
    fixed = np.mean([bits(model, window, run.said) for window in windows])
    step, found = model.training_step(run.section), []
    for window in windows:
        found.append(bits(model, window, run.said))
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
        return {"tokens": windows[:, :-1]}
    return {"tokens": windows[:, :-1], "next": windows[:, 1:]}


def bits(model: nncomp.Model, window: np.ndarray, said: int) -> float:
    """Of the `said` last characters of a window, on average, each from those before it."""
    logits = model(tokens=window[None, :-1])["logits"][0, -said:].astype(float)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return float(-np.log2(share[np.arange(said), window[-said:]]).mean())


if __name__ == "__main__":
    main(sys.argv[1])
