"""What row 57 is held against."""

from __future__ import annotations

import numpy as np

from tests.models import support
from tests.models.agreement import count
from zoo.figures.support import close, loaded
from zoo.row import Figure

RNG = np.random.default_rng(0)


def _zero() -> str:
    """What the layers add up to that the paper lists (`Neural network architecture`); the mask."""
    found = []
    for blocks in (20, 40):
        width, points = 256, 361
        tower = 17 * width * 9 + 2 * width + blocks * 2 * (width * width * 9 + 2 * width)
        policy = width * 2 + 2 * 2 + 2 * points * (points + 1) + points + 1
        value = width + 2 + points * width + width + width + 1
        found.append(count(support.load("alphazero.nn", blocks=blocks)))
        assert found[-1] == tower + policy + value, f"{found[-1]:,}"
    model = loaded("alphazero.nn", blocks=1, width=8, board=3, planes=3, passes=0)
    legal = RNG.uniform(size=(6, 9)) < 0.5
    legal[:, 4] = True
    state = RNG.standard_normal((6, 3, 3, 3)).astype("f")
    p = model(state=state, legal=legal)["p"]
    assert not p[~legal].any(), "an illegal move has a probability"
    close(p.sum(axis=1), np.ones(6), 1e-5)
    return ", ".join(f"{number:,}" for number in found)


ZERO = Figure("20 and 40 blocks; legal-move mask", _zero)
