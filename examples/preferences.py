"""Learning from preferences: which of two texts has more of a pattern is all that is told.

    python examples/preferences.py

A reward model learns from pairs, then a policy writes what it rewards.
"""

from __future__ import annotations

import numpy as np

import nncomp

SYMBOLS, LENGTH, HIDDEN = 6, 8, 32
PATTERN = (1, 2)  # by turns


def worth(text: np.ndarray) -> np.ndarray:
    """How many symbols of each text are those of the pattern."""
    wanted = np.resize(PATTERN, LENGTH)
    return np.asarray((text == wanted).sum(axis=1))


def main() -> None:
    rng = np.random.default_rng(0)
    model = nncomp.load("models/rlhf.nn")
    step = model.training_step("reward")
    for _ in range(600):
        pair = rng.integers(0, SYMBOLS, (2, 64, LENGTH))
        values = np.stack([worth(text) for text in pair])
        first = (values[0] >= values[1])[:, None]
        better, worse = np.where(first, *pair), np.where(first, *pair[::-1])
        told = step(better=better, worse=worse)
    print(f"preferences {told['accuracy']:.3f}")
    start = np.zeros((128, HIDDEN), np.float32)
    policy = model.training_step("policy")
    for _ in range(400):
        told = policy(start=start)
    text = model.run({"start": start}, entry="write")["text"]
    print(f"reward {told['reward']:.3f}, for example {text[0]}")
    print(f"pattern {worth(text).mean() / LENGTH:.3f}")


if __name__ == "__main__":
    main()
