"""Learning-rate schedules over a whole run; the same formulas as the functions of `std.schedules`.

A schedule is a factor of the learning rate, by the step (from 0) and the number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, get_args

Name = Literal["constant", "linear", "cosine", "step", "exponential", "one-cycle"]
NAMES: tuple[Name, ...] = get_args(Name)
STEPS, DROP = 3, 0.1  # of the step schedule: how many levels, and the factor between them
LEAST = 0.01  # where the exponential schedule ends
RISE, START, END = (
    0.3,
    1 / 25,
    1e-4 / 25,
)  # of one cycle, as in torch.optim


def factor(name: Name, step: int, total: int, warmup: int = 0) -> float:
    """What the learning rate is multiplied by.

    warmup: so many steps rise linearly to 1 first; the schedule takes the others
    """
    if step < warmup:
        return (step + 1) / warmup
    if name == "one-cycle":
        return _one_cycle(step, total)
    return _FORMULAS[name](min((step - warmup) / max(total - warmup, 1), 1.0))


_FORMULAS: Mapping[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "linear": lambda share: 1 - share,
    "cosine": lambda share: (1 + math.cos(math.pi * share)) / 2,
    "step": lambda share: DROP ** min(int(share * STEPS), STEPS - 1),
    "exponential": lambda share: LEAST**share,
}


def _one_cycle(step: int, total: int) -> float:
    """Up and down again, both along a half cosine (Smith, Topin, 2019)."""
    top = RISE * total - 1
    if step <= top:
        return _between(START, 1.0, step / top if top else 1.0)
    return _between(1.0, END, min((step - top) / max(total - 1 - top, 1), 1.0))


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
