"""Numbers as people read them."""

from __future__ import annotations


def count(number: int) -> str:
    """`61,706`; from ten million on `25.56 M`, `8.18 G`."""
    if abs(number) < 10_000_000:
        return f"{number:,}"
    return _scaled(number, 1000, ("", " k", " M", " G", " T", " P", " E"))


def short_count(number: int) -> str:
    """Three digits at most: `940`, `61.7 k`, `25.6 M`."""
    return _scaled(number, 1000, ("", " k", " M", " G", " T", " P", " E"), digits=3)


def size(number: int) -> str:
    """Bytes: `940 B`, `18.4 KiB`, `97.5 MiB`."""
    return _scaled(number, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"), digits=3)


def _scaled(number: int, step: int, units: tuple[str, ...], digits: int = 4) -> str:
    value, unit = float(number), 0
    # what would round up to a fourth digit before the point moves on to the next unit
    while abs(value) >= step - 0.5 and unit < len(units) - 1:
        value, unit = value / step, unit + 1
    if unit == 0:
        return f"{number}{units[0]}"
    before = len(str(int(abs(value))))
    return f"{value:.{max(0, digits - before)}f}{units[unit]}"
