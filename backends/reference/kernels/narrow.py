"""Casts to and from the dtypes that nothing is computed in: narrow floats and integers, strings."""

from __future__ import annotations

import numpy as np

from nncomp.types import EIGHTS, NARROW_INTS, Array, DType


def special_cast(x: Array, to: DType, saturate: bool, round_mode: str) -> Array:
    """x as another dtype, either of which is special (ONNX Cast-25).

    saturate: whether what is beyond an 8-bit float's range becomes its last number, not NaN or inf
    round_mode: "up", "down" or "nearest", to a power of two (f8e8m0)
    ValueError for text that is no number.
    """
    source = DType.of(x)
    if source is DType.STRING:
        return _parsed(x, to)
    if to is DType.STRING:
        return _written(x)
    if source is to:
        return x
    if source.is_special and to.is_special:  # not all pairs are known to NumPy
        x = x.astype(np.int8 if source in NARROW_INTS else np.float32)
    if to in EIGHTS and saturate:
        wide = x if x.dtype.kind == "f" else x.astype(np.float32)
        low, high = map(float, to.limits)
        return np.asarray(np.clip(wide, low, high)).astype(to.numpy)
    if to is DType.F8E8M0:
        return _powers_of_two(x, saturate, round_mode)
    return x.astype(to.numpy)


def _powers_of_two(x: Array, saturate: bool, round_mode: str) -> Array:
    """The exponents of float32 numbers; NaN and infinities are NaN. The sign is lost."""
    bits = x.astype(np.float32).view(np.uint32)
    exponent = (bits >> 23) & 0xFF
    fraction = bits & 0x7FFFFF
    half = 0x400000
    if round_mode == "nearest":  # halves go up, but for the one below all normal numbers
        up = (fraction > half) | ((fraction == half) & (exponent > 0))
    else:
        up = (fraction > 0) & (round_mode == "up")
    if saturate:
        up &= exponent != 0xFE
    exponent = np.where(exponent == 0xFF, 0xFF, exponent + up)
    return exponent.astype(np.uint8).view(DType.F8E8M0.numpy)


def _written(x: Array) -> Array:
    """Numbers as text, the shortest that gives them back; NaN and INF as ONNX spells them."""
    special = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}
    texts = [str(element) for element in x.reshape(-1)]
    return np.array([special.get(t, t) for t in texts] or [], object).reshape(x.shape)


def _parsed(x: Array, to: DType) -> Array:
    if to is DType.STRING:
        return x
    texts = x.reshape(-1).tolist()
    if to.is_int or to in NARROW_INTS:
        return (
            np.array([int(float(t)) if _has_point(t) else int(t) for t in texts], np.int64)
            .astype(to.numpy)
            .reshape(x.shape)
        )
    numbers = np.array([float(t) for t in texts], np.float64).reshape(x.shape)
    return special_cast(numbers, to, True, "up") if to.is_special else numbers.astype(to.numpy)


def _has_point(text: str) -> bool:
    return any(c in text for c in ".eE")
