"""Curves in the terminal: Braille dots, two by four to a character."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nncomp.training.log import epochs
from nncomp.training.results import losses

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, row
_WIDTH, _HEIGHT = 48, 8  # characters


def plot(records: Sequence[Mapping[str, Any]], width: int = _WIDTH, height: int = _HEIGHT) -> str:
    """For each loss and metric of a log a panel: its values over the epochs, those of training and
    of validation. A loss is drawn by its logarithm.

    width, height: of a panel, in characters
    """
    whole = epochs(records)
    panels = []
    for name in whole[0]["train"] if whole else ():
        curves = {
            part: [record[part][name] for record in whole]
            for part in ("train", "validation")
            if all(name in record[part] for record in whole)
        }
        panels.append(_panel(name, curves, width, height, name in losses([name])))
    return "\n\n".join(panels)


def _panel(
    name: str, curves: Mapping[str, Sequence[float]], width: int, height: int, is_loss: bool
) -> str:
    values = [v for curve in curves.values() for v in curve if math.isfinite(v)]
    if not values:
        return f"{name}: no finite value"
    logarithmic = is_loss and min(values) > 0
    low, high = min(values), max(values)
    cells = [[0] * width for _ in range(height)]
    for part, curve in curves.items():
        shown = [math.log(v) if logarithmic else v for v in curve]
        bottom = math.log(low) if logarithmic else low
        top = math.log(high) if logarithmic else high
        _draw(cells, shown, bottom, top, dotted=part == "validation")
    ends = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
    margin = max(map(len, ends))
    rows = [
        f"{end:>{margin}} ┤{''.join(chr(0x2800 + bits) for bits in row)}"
        for end, row in zip(ends, cells, strict=True)
    ]
    count = max(map(len, curves.values()))
    last = ", ".join(f"{part} {curve[-1]:.4g}" for part, curve in curves.items())
    foot = f"epoch 1{count:>{max(width - len('epoch 1'), 1)}}"
    scale = ", logarithmic" if logarithmic else ""
    dotted = "; validation dotted" if "validation" in curves else ""
    title = f"{name} ({last}{scale}{dotted})"
    return "\n".join([title, *rows, f"{' ' * margin}  {foot}"])


def _draw(
    cells: list[list[int]], curve: Sequence[float], low: float, high: float, dotted: bool
) -> None:
    """Sets the dots of a curve; of a dotted one, every third column's."""
    columns, rows = 2 * len(cells[0]), 4 * len(cells)
    previous = None
    for x in range(columns):
        value = _at(curve, x / max(columns - 1, 1))
        if not math.isfinite(value):
            previous = None
            continue
        y = round((high - value) / (high - low) * (rows - 1)) if high > low else rows // 2
        start = y if previous is None else previous
        steps = [y] if dotted else range(min(start, y), max(start, y) + 1)
        for row in steps if not dotted or x % 3 == 0 else ():
            cells[row // 4][x // 2] |= _DOTS[x % 2][row % 4]
        previous = y


def _at(curve: Sequence[float], share: float) -> float:
    """The curve at a share of its length, straight between its points."""
    place = share * (len(curve) - 1)
    index = min(int(place), max(len(curve) - 2, 0))
    after = curve[min(index + 1, len(curve) - 1)]
    return curve[index] + (after - curve[index]) * (place - index)
