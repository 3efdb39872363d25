"""Learning from preferences: which of two texts has more of a pattern is all that is told.

    python examples/preferences.py

A reward model learns from pairs, then a policy writes what it rewards.
"""

from __future__ import annotations

import numpy as np

import nncomp

SYMBOLS, LENGTH, HIDDEN = 6, 8, 32
PATTERN = (1, 2)  # by turns
ENTROPY = 0.1  # a smaller share of it in the loss, and the policy writes one symbol only


def worth(text: np.ndarray) -> np.ndarray:
    """How many symbols of each text are those of the pattern."""
    wanted = np.resize(PATTERN, LENGTH)
    return np.asarray((text == wanted).sum(axis=1))


def main() -> None:
    rng = np.random.default_rng(0)
    model = nncomp.load("models/rlhf.nn", entropy=ENTROPY)
    step = model.training_step("reward")
    for _ in range(1000):
        a, b = rng.integers(0, SYMBOLS, (2, 96, LENGTH))
        lead = worth(a) - worth(b)
        better, worse = (np.where((sign * lead > 0)[:, None], a, b) for sign in (1, -1))
        told = step(better=better[lead != 0], worse=worse[lead != 0])
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
