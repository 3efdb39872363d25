"""Numbers as people read them."""

from __future__ import annotations

from nncomp.types import DType, TensorType


def short_count(number: int) -> str:
    """Three digits at most: `940`, `61.7 k`, `25.6 M`."""
    return _scaled(number, 1000, ("", " k", " M", " G", " T", " P", " E"))


def size(number: int) -> str:
    """Bytes: `940 B`, `18.4 KiB`, `97.5 MiB`."""
    return _scaled(number, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"))


def _scaled(number: int, step: int, units: tuple[str, ...]) -> str:
    value, unit = float(number), 0
    # what would be rounded to 1000 moves on to the next unit
    while abs(value) >= step - 0.5 and unit < len(units) - 1:
        value, unit = value / step, unit + 1
    if unit == 0:
        return f"{number}{units[0]}"
    before = len(str(int(abs(value))))
    return f"{value:.{max(0, 3 - before)}f}{units[unit]}"


def shape(type_: TensorType) -> str:
    """`N×64×56×56`; the dtype is named where it is not f32."""
    sizes = "×".join(f"({d})" if " " in str(d) else str(d) for d in type_.shape)
    if type_.dtype is DType.F32:
        return sizes or "scalar"
    return f"{type_.dtype} {sizes}".strip()


def duration(seconds: float) -> str:
    """`940 ns`, `12.3 µs`, `4.56 ms`, `7.89 s`."""
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-9:.3g} ns"
