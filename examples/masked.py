"""BERT learns which characters were left out of a text, and whether two parts follow one another
(Devlin et al., 2018, section 3.1).

    python examples/masked.py

The text is that of scikit-learn's data-set descriptions. The number is how many bits a character
that was left out of the held-out text takes, over those that the frequencies of characters take.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import nncomp
from nncomp.training.sources import read_data
from nncomp.types import DType, TensorType

SIZES = {"layers": 2, "width": 64, "heads": 4, "context": 64, "dropout": 0.0}
EPOCHS, BATCH, RATE = 24, 32, 3e-3
CHOSEN, HIDDEN, OTHER = 0.15, 0.8, 0.1  # of all characters; of those, masked, and exchanged
IGNORED = -100

Batch = dict[str, np.ndarray]


def main() -> None:
    inputs = {"tokens": TensorType(DType.I64, ("N", SIZES["context"]))}
    data = read_data("sklearn:descriptions", inputs)
    train, test = data.train["tokens"][:], data.test["tokens"][:]
    symbols = int(max(train.max(), test.max())) + 1
    model = nncomp.load("models/bert.nn", "BertForPreTraining", vocabulary=symbols + 1, **SIZES)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng(epoch)
        for rows in np.array_split(rng.permutation(len(train)), len(train) // BATCH):
            yield masked(pairs(train, rows, rng), symbols, rng)

    steps = len(train) // BATCH
    model.train(batches, "out/zoo/33", epochs=EPOCHS, steps=steps, lr=RATE, schedule="cosine")

    rng = np.random.default_rng(0)
    batch = masked(pairs(test, np.arange(len(test)), rng), symbols, rng)
    there = batch["label"] != IGNORED
    right = batch["label"][there]
    found = model(**{name: batch[name] for name in ("tokens", "segments", "mask")})
    logits = found["words"][there].astype(float)
    logits -= logits.max(axis=1, keepdims=True)
    said = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    bits = -said[np.arange(len(right)), right].mean() / np.log(2)
    count = np.bincount(train.ravel(), minlength=symbols) + 1
    unigram = -np.log2(count / count.sum())[right].mean()
    follows = np.mean(found["follows"].argmax(axis=1) == batch["next"])
    print(f"{len(right)} characters: {bits:.3f} bits, by frequency {unigram:.3f}; ", end="")
    print(f"right {np.mean(said.argmax(axis=1) == right):.3f}, by frequency ", end="")
    print(f"{np.mean(count.argmax() == right):.3f}; what follows {follows:.3f}")
    print(f"ratio {bits / unigram:.4f}")


def pairs(windows: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> Batch:
    """Windows whose second half is theirs (`next` 0), or another one's (1)."""
    tokens = windows[rows]
    other = rng.integers(0, 2, len(rows))
    half = tokens.shape[1] // 2
    strange = windows[rng.integers(0, len(windows), len(rows)), half:]
    tokens[:, half:] = np.where(other[:, None] == 1, strange, tokens[:, half:])
    segments = np.broadcast_to(np.arange(tokens.shape[1]) // half, tokens.shape).astype(np.int64)
    return {"tokens": tokens, "segments": segments, "next": other}


def masked(batch: Batch, symbols: int, rng: np.random.Generator) -> Batch:
    """Most of the characters chosen are hidden, some exchanged, some left as they are."""
    tokens = batch["tokens"]
    chosen = rng.uniform(size=tokens.shape) < CHOSEN
    kind = rng.uniform(size=tokens.shape)
    seen = np.where(kind < HIDDEN + OTHER, rng.integers(0, symbols, tokens.shape), tokens)
    seen = np.where(kind < HIDDEN, symbols, seen)
    return {
        **batch,
        "tokens": np.where(chosen, seen, tokens),
        "label": np.where(chosen, tokens, IGNORED),
        "mask": np.ones(tokens.shape, bool),
    }


if __name__ == "__main__":
    main()
