"""All rows, by their numbers."""

from __future__ import annotations

from zoo.row import Case, Row
from zoo.rows import (
    attention,
    autoencoders,
    beginnings,
    control,
    convolutional,
    energy,
    feed_forward,
    generative,
    gradient,
    recurrent,
    structures,
)

GROUPS = (
    feed_forward, convolutional, recurrent, attention, autoencoders, generative, energy,
    structures, control, gradient, beginnings,
)  # fmt: skip
ROWS: tuple[Row, ...] = tuple(
    sorted((row for group in GROUPS for row in group.ROWS), key=lambda row: row.number)
)


def cases() -> list[Case]:
    """The small sizes of all rows, each once."""
    found = {str(case): case for row in ROWS for case in row.cases}
    return [found[name] for name in sorted(found)]
