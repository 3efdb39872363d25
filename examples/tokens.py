"""Which token comes next in scikit-learn's data-set descriptions: row 34.

    python examples/tokens.py
    python examples/tokens.py validate

GPT reads byte pairs (Sennrich, Haddow, Birch, 2016) that are learnt from the training text. The
last tenth of the text is held out; the number is how many bits each of its characters takes. Two
are told: what the model gives alone, from the 48 to 63 tokens before; and what it gives beside a
continuous cache (Grave, Joulin, Usunier, 2017), which remembers what came at like places before, in
the training text too (Khandelwal et al., 2020). Places are alike where the model expects the same
there, and expected the same at the few places before. The last number is that with the cache.

`validate` holds out the tenth before the last instead, and leaves the last out altogether. Its
figures chose the cache's constants, the number of byte pairs and that of epochs. The network's
size, its rate and its dropout were chosen for characters before, with the last tenth in view.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np
from characters import descriptions

import nncomp
from nncomp.types import Array

MERGES, WINDOW, BATCH, EPOCHS, RATE, WARMUP, AVERAGE = 200, 64, 16, 35, 0.0125, 50, 0.98
SIZES = {"layers": 2, "width": 64, "heads": 4, "context": 64, "dropout": 0.1}
SEEN, SAID = 48, 16  # tokens of a window that are given, and that are judged
SHARPNESS = 15.0  # of the cache
WEIGHTS = np.array([40, 100], np.float32)  # in it, of the training and of the held-out text
TRAIL = (1, 1 / 2, 1 / 4, 1 / 8)  # for how much a place counts, the one before it, ..., in a key
WORD = re.compile(r" ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+")

Pair = tuple[str, str]


def main(validate: bool) -> None:
    text = descriptions()
    start, end = (round(len(text) * share) for share in ((0.8, 0.9) if validate else (0.9, 1)))
    pairs = byte_pairs(text[:start], MERGES)
    symbols = sorted(set(text) | {a + b for a, b in pairs})
    parts = [split(part, pairs) for part in (text[:start], text[start:end])]
    tokens = np.array([symbols.index(token) for part in parts for token in part])
    cut = len(parts[0])

    model = nncomp.load("models/gpt.nn", **SIZES, vocabulary=len(symbols))
    steps = (cut // WINDOW - 2) // BATCH

    def batches(epoch: int) -> Iterator[dict[str, Array]]:
        """Windows behind one another, from another token on and in another order each time."""
        rng = np.random.default_rng(epoch)
        first = rng.integers(WINDOW)
        starts = rng.permutation(np.arange(first, cut - WINDOW, WINDOW))
        for chosen in starts[: steps * BATCH].reshape(steps, BATCH):
            yield {"tokens": tokens[chosen[:, None] + np.arange(WINDOW)]}

    options = {"epochs": EPOCHS, "lr": RATE, "schedule": "cosine", "warmup": WARMUP}
    options |= {"keep": "last", "average": AVERAGE, "section": "muon"}
    model.train(batches, "out/zoo/34", steps=steps, **options)

    logits, came, old = read(model, tokens, cut)
    weights = np.repeat(WEIGHTS, [old, len(came) - old])
    alone = shares(logits[old:])
    keys = trail(logits)
    keys *= (SHARPNESS / distance(keys[:old])) ** 0.5
    for name, found in (("model alone:", alone), ("bits", recalled(alone, keys, came, weights))):
        bits = -np.log2(found[np.arange(len(found)), came[old:]]).sum()
        print(f"{name} {bits / (end - start):.4f}")


def byte_pairs(text: str, merges: int) -> list[Pair]:
    """Tokens to join, in this order: each time those that most often follow each other in words."""
    words = Counter(WORD.findall(text))
    parts = {word: list(word) for word in words}
    pairs: list[Pair] = []
    while len(pairs) < merges:
        counts: Counter[Pair] = Counter()
        for word, often in words.items():
            for pair in zip(parts[word], parts[word][1:], strict=False):
                counts[pair] += often
        if not counts:
            break
        pairs.append(max(counts, key=lambda pair: (counts[pair], pair)))
        parts = {word: joined(part, pairs[-1]) for word, part in parts.items()}
    return pairs


def joined(part: list[str], pair: Pair) -> list[str]:
    """Tokens with a pair made one wherever it stands."""
    found: list[str] = []
    for token in part:
        if found and (found[-1], token) == pair:
            found[-1] += token
        else:
            found.append(token)
    return found


def split(text: str, pairs: list[Pair]) -> list[str]:
    """The tokens of a text; joined, they are the text."""
    known: dict[str, list[str]] = {}
    for word in set(WORD.findall(text)):
        part = list(word)
        for pair in pairs:
            part = joined(part, pair)
        known[word] = part
    return [token for word in WORD.findall(text) for token in known[word]]


def read(model: nncomp.Model, tokens: Array, cut: int) -> tuple[Array, Array, int]:
    """Logits [n, V] of the tokens [n] that have SEEN before them, each from those that it sees; and
    how many of them are of the training text."""
    first = SEEN + (len(tokens) - SEEN) % SAID
    starts = np.arange(first, len(tokens), SAID)
    windows = tokens[starts[:, None] + np.arange(-SEEN, SAID - 1)]
    logits = np.concatenate(
        [model(tokens=some)["logits"][:, -SAID:] for some in np.array_split(windows, 32)]
    )
    return logits.reshape(-1, logits.shape[2]), tokens[first:], cut - first


def shares(logits: Array) -> Array:
    """The probabilities of all tokens at each place, [n, V]."""
    found = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)


def trail(logits: Array) -> Array:
    """Keys [n, TRAIL · V]: the logits [n, V] of each place and of those before it. What is squared
    in a distance of two counts by TRAIL."""
    places = np.arange(len(logits))
    parts = (share**0.5 * logits[np.maximum(places - k, 0)] for k, share in enumerate(TRAIL))
    return np.concatenate(list(parts), axis=1)


def distance(keys: Array) -> float:
    """Of two places, squared, on average."""
    return 2 * float(keys.var(axis=0).sum())


def recalled(alone: Array, keys: Array, tokens: Array, weights: Array, at_once: int = 64) -> Array:
    """The probabilities of all tokens at the last m of n places, [m, V], where each place before
    counts for the token that came there, beside one for the model.

    alone: [m, V], what the model gives
    keys: [n, K], between which a squared distance d² makes a place count for exp(-d²)
    tokens: [n], which came
    weights: [n], for how much a place with the same key counts
    at_once: places that are computed together
    """
    start, squares = len(tokens) - len(alone), (keys**2).sum(axis=1)
    found, eye = alone.copy(), np.eye(alone.shape[1], dtype=keys.dtype)
    for at in range(start, len(tokens), at_once):
        end = min(at + at_once, len(tokens))
        apart = squares[at:end, None] + squares[:end] - 2 * keys[at:end] @ keys[:end].T
        counts = weights[:end] * np.exp(-np.maximum(apart, 0))
        counts *= np.arange(end) < np.arange(at, end)[:, None]
        now = slice(at - start, end - start)
        found[now] += counts @ eye[tokens[:end]]
        found[now] /= 1 + counts.sum(axis=1, keepdims=True)
    return found


if __name__ == "__main__":
    main(sys.argv[1:] == ["validate"])
