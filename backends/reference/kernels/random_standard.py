"""Random numbers by NumPy's generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops import random_standard as r
from nncomp.ops.rules import numbered_dtype
from nncomp.types import Array


def _generator(seed: float | None) -> np.random.Generator:
    if seed is None:
        return np.random.default_rng()
    return np.random.default_rng(int(np.float32(seed).view(np.uint32)))


def _dtype(number: int | None, like: Array | None = None) -> Any:
    return like.dtype if number is None and like is not None else numbered_dtype(number or 1).numpy


def _shape(op: r.FreelyDrawn | r.DrawnLike, like: Array | None) -> tuple[int, ...]:
    if isinstance(op, r.FreelyDrawn):
        return op.shape
    assert like is not None
    shape: tuple[int, ...] = like.shape
    return shape


def normal(op: r.RandomNormal | r.RandomNormalLike, like: Array | None = None) -> Array:
    numbers = _generator(op.seed).normal(op.mean, op.scale, _shape(op, like))
    return numbers.astype(_dtype(op.dtype, like))


def uniform(op: r.RandomUniform | r.RandomUniformLike, like: Array | None = None) -> Array:
    numbers = _generator(op.seed).uniform(op.low, op.high, _shape(op, like))
    return numbers.astype(_dtype(op.dtype, like))


def bernoulli(op: r.Bernoulli, x: Array) -> Array:
    ones: Array = _generator(op.seed).random(x.shape) < x
    return ones.astype(_dtype(op.dtype, x))


def multinomial(op: r.Multinomial, x: Array) -> Array:
    """The class of the first running sum of probabilities beyond a uniform number."""
    weights = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    ends = weights.cumsum(1)
    drawn = _generator(op.seed).random((len(x), op.sample_size)) * ends[:, -1:]
    places: Array = (drawn[:, :, None] >= ends[:, None, :]).sum(2)
    return places.astype(_dtype(op.dtype))


def dropout(
    op: r.Dropout, x: Array, ratio: Array | None = None, training: Array | None = None
) -> tuple[Array, Array]:
    rate = 0.5 if ratio is None else float(ratio.item())
    if training is None or not training.item() or rate == 0:
        return x, np.ones(x.shape, bool)
    draw = np.random.RandomState(op.seed)  # the generator of ONNX's own reference
    mask: Array = np.asarray(draw.uniform(0, 1, x.shape) >= rate)
    return np.asarray(x * mask * x.dtype.type(1 / (1 - rate))), mask


KERNELS: dict[type[Op], Callable[..., Any]] = {
    r.RandomNormal: normal,
    r.RandomNormalLike: normal,
    r.RandomUniform: uniform,
    r.RandomUniformLike: uniform,
    r.Bernoulli: bernoulli,
    r.Multinomial: multinomial,
    r.Dropout: dropout,
}
