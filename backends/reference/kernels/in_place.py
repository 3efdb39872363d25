"""Activations that overwrite what they are given: they follow another kernel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nncomp.types import Array

_ZEROS = np.zeros(1 << 20, np.float32)  # as many as a block that stays in cache may need


def _relu(y: Array) -> Array:
    """max(y, 0). Two contiguous arrays take NumPy half as long as an array and a number."""
    if y.dtype == _ZEROS.dtype and y.size <= _ZEROS.size and y.flags.c_contiguous:
        return np.maximum(y, _ZEROS[: y.size].reshape(y.shape), out=y)
    return y.clip(0, np.inf, out=y)


def _sigmoid(y: Array, alpha: float = 1.0) -> Array:
    """1 / (1 + exp(-alpha·y)) in place, as a tanh, which does not overflow."""
    y *= 0.5 * alpha
    np.tanh(y, out=y)
    y += 1
    y *= 0.5
    return y


def _leaky_relu(y: Array, alpha: float = 0.01) -> Array:
    return np.multiply(y, alpha, out=y, where=y < 0)


def _clip(y: Array, low: float, high: float) -> Array:
    return y.clip(low, high, out=y)


def _hard_sigmoid(y: Array, alpha: float = 0.2, beta: float = 0.5) -> Array:
    y *= alpha
    y += beta
    return _clip(y, 0, 1)


def _hard_swish(y: Array) -> Array:
    gate = _hard_sigmoid(y.copy(), 1 / 6, 0.5)
    return np.multiply(y, gate, out=y)


def _swish(y: Array, alpha: float = 1.0) -> Array:
    gate = _sigmoid(y.copy(), alpha)
    return np.multiply(y, gate, out=y)


def _elu(y: Array, alpha: float = 1.0) -> Array:
    negative = y < 0
    np.expm1(y, out=y, where=negative)
    return np.multiply(y, alpha, out=y, where=negative)


IN_PLACE: dict[str, Callable[..., Array]] = {
    "Relu": _relu,
    "Sigmoid": _sigmoid,
    "Tanh": lambda y: np.tanh(y, out=y),
    "LeakyRelu": _leaky_relu,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Swish": _swish,
    "Elu": _elu,
}
