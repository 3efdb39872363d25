"""Interpolation along one axis: which input elements make an output element, at which weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np

from nncomp.types import Array

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
MODES = ("nearest", "linear", "cubic")
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample: ONNX Resize's attributes of these names."""

    mode: str
    coordinates: str
    nearest_mode: str
    cubic_coeff_a: float
    antialias: bool
    exclude_outside: bool


@dataclass(frozen=True, slots=True)
class Taps:
    """Output i is Σ_t weights[i, t] · input[indices[i, t]], unless it lies `outside`.

    indices, weights: [outputs, taps]; outside: bool [outputs], only for tf_crop_and_resize
    """

    indices: Array
    weights: Array
    outside: Array | None

    def matrix(self, size: int) -> Array:
        """The same as a matrix [outputs, size]."""
        dense = np.zeros((len(self.indices), size))
        np.add.at(dense, (np.arange(len(dense))[:, None], self.indices), self.weights)
        return dense


def taps(how: Sampling, size: int, outputs: int, scale: float, roi: tuple[float, float]) -> Taps:
    """The taps that resize an axis of `size` elements to `outputs`."""
    # which element is nearest can hang on the last bit: runtimes decide it in single precision
    precision = np.float32 if how.mode == "nearest" else np.float64
    places = _coordinates(how.coordinates, size, outputs, precision(scale), roi)
    left = np.ceil(places).astype(np.int64) - 1
    ratio = places - left  # in (0, 1]: an element's own place is the right one of a pair
    offsets, weights = _weights(how, ratio, scale)
    indices = left[:, None] + offsets
    if how.exclude_outside:
        weights = np.where((indices < 0) | (indices >= size), 0.0, weights)
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total == 0, 1.0, total)
    outside = None
    if how.coordinates == "tf_crop_and_resize":
        outside = (places < 0) | (places > size - 1)
        weights = np.where(outside[:, None], 0.0, weights)
    return Taps(np.clip(indices, 0, size - 1), weights, outside)


def _coordinates(
    mode: str,
    size: int,
    outputs: int,
    scale: np.floating[Any],
    roi: tuple[float, float],
) -> Array:
    """Where the centre of each output lies in the input, in the dtype of scale."""
    i: Array = np.arange(outputs, dtype=scale.dtype)
    last, exact = size - 1, scale * size
    if mode == "align_corners":
        return np.zeros(outputs) if outputs == 1 else i * last / (outputs - 1)
    if mode == "asymmetric":
        places: Array = i / scale
        return places
    if mode == "tf_crop_and_resize":
        start, end = roi
        if outputs == 1:
            return np.full(1, 0.5 * (start + end) * last)
        return start * last + i * ((end - start) * last / (outputs - 1))
    if mode == "pytorch_half_pixel" and outputs == 1:
        return np.zeros(1)
    offset = size / 2 * (1 - outputs / exact) if mode == "half_pixel_symmetric" else 0.0
    return offset + (i + 0.5) / scale - 0.5


def _weights(how: Sampling, ratio: Array, scale: float) -> tuple[Array, Array]:
    """Offsets from the left neighbour, and a weight for each: [taps], [outputs, taps]."""
    if how.mode == "nearest":
        return np.arange(2), _nearest(how.nearest_mode, ratio)
    reach = 1 if how.mode == "linear" else 2
    shrink = min(scale, 1.0) if how.antialias else 1.0
    start = floor(-reach / shrink) + 1
    offsets = np.arange(start, 2 - start)
    distance = np.abs(offsets - ratio[:, None]) * shrink
    if how.mode == "linear":
        weights = np.clip(1 - distance, 0, 1)
    else:
        weights = _cubic(distance, how.cubic_coeff_a)
    return offsets, weights / weights.sum(axis=1, keepdims=True)


def _nearest(mode: str, ratio: Array) -> Array:
    whole = ratio == 1
    if mode == "floor":
        right = whole
    elif mode == "ceil":
        right = np.ones_like(whole)
    elif mode == "round_prefer_ceil":
        right = ratio >= 0.5
    else:
        right = ratio > 0.5
    return np.stack([~right, right], axis=1).astype(np.float64)


def _cubic(distance: Array, a: float) -> Array:
    """Keys' convolution kernel (IEEE Trans. ASSP 29, 1981, equation 4)."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
