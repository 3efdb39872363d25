"""Search spaces: which values a hyperparameter may take, and the grid of them."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.errors import CompileError, error

MAX_POINTS = 10_000  # of a grid
EXAMPLES = "`lr=1e-4..1e-1:log`, `width=16..128` or `act=relu|tanh`"


@dataclass(frozen=True)
class Choices:
    """One of several values, as they are written."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """A number between two, both included; `logarithmic`: its logarithm is spread evenly."""

    name: str
    low: float
    high: float
    whole: bool
    logarithmic: bool


Space = Choices | Interval

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_INTERVAL = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?(?:/(\d+))?")


def parse_space(name: str, text: str) -> Space:
    """`relu|tanh`: choices. `16..128`, `1e-4..1e-1:log`: an interval, whole if both ends are
    written so. `1e-4..1e-1:log/4`: four values of it, as choices. Raises CompileError NN0407."""
    found = _INTERVAL.fullmatch(text.replace(" ", ""))
    if found is None:
        values = tuple(value.strip() for value in text.split("|"))
        if not all(values):
            raise _refused(name, text, "it has an empty choice")
        return Choices(name, values)
    ends, logarithmic, count = found.groups()[:2], found[3] is not None, found[4]
    whole = all(re.fullmatch(r"[-+]?\d+", end) for end in ends)
    low, high = (float(end) for end in ends)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise _refused(name, text, "the first end must be the smaller one")
    if logarithmic and low <= 0:
        raise _refused(name, text, "a logarithmic interval begins above 0")
    space = Interval(name, low, high, whole, logarithmic)
    return space if count is None else Choices(name, _points(space, int(count), text))


def _refused(name: str, text: str, why: str) -> CompileError:
    return error(
        "NN0407",
        f"`{name}={text}` is no search space: {why}",
        help=f"for example {EXAMPLES}",
    )


def _points(space: Interval, count: int, text: str) -> tuple[str, ...]:
    if not 2 <= count <= MAX_POINTS:
        raise _refused(space.name, text, f"it has 2 to {MAX_POINTS:,} points")
    shares = [i / (count - 1) for i in range(count)]
    if space.logarithmic:
        values = [space.low * (space.high / space.low) ** share for share in shares]
    else:
        values = [space.low + (space.high - space.low) * share for share in shares]
    return tuple(dict.fromkeys(written(value, space.whole) for value in values))


def written(value: float, whole: bool) -> str:
    """A number as `--set` takes it."""
    return f"{round(value)}" if whole else f"{value:.4g}"


def grid(spaces: Sequence[Space]) -> list[dict[str, str]]:
    """Every combination, the last name's values first. Raises CompileError NN0407 for an interval
    of floats, which has no end of values."""
    values: list[tuple[str, ...]] = []
    for space in spaces:
        if isinstance(space, Choices):
            values.append(space.values)
        elif space.whole and not space.logarithmic and space.high - space.low < MAX_POINTS:
            values.append(tuple(f"{n}" for n in range(int(space.low), int(space.high) + 1)))
        else:
            raise error(
                "NN0407",
                f"a grid needs values of `{space.name}`, this is an interval",
                help=f"say how many: `{space.name}={space.low:g}..{space.high:g}/5`",
            )
    if math.prod(map(len, values)) > MAX_POINTS:
        raise error("NN0407", f"the grid has more than {MAX_POINTS:,} points")
    names = [space.name for space in spaces]
    return [dict(zip(names, point, strict=True)) for point in itertools.product(*values)]
