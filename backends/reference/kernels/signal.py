"""Fourier transforms and the mel scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.precision import widened
from nncomp.ir.op import Op
from nncomp.ops.rules import numbered_dtype
from nncomp.ops.signal import DFT, MelWeightMatrix
from nncomp.types import Array


def dft(op: DFT, x: Array, length: Array | None = None, axis: Array | None = None) -> Array:
    place = (-2 if axis is None else int(axis.item())) % x.ndim
    size = None if length is None else int(length.item())
    numbers = x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]
    if op.inverse and op.onesided:
        return np.fft.irfft(numbers, size, place)[..., None].astype(x.dtype, copy=False)
    if op.inverse:
        y = np.fft.ifft(numbers, size, place)
    elif op.onesided:
        y = np.fft.rfft(numbers, size, place)
    else:
        y = np.fft.fft(numbers, size, place)
    return np.stack([y.real, y.imag], -1).astype(x.dtype, copy=False)


def mel_weight_matrix(
    op: MelWeightMatrix, bins: Array, length: Array, rate: Array, low: Array, high: Array
) -> Array:
    """Triangles between neighbouring places, evenly on the mel scale, in whole frequencies."""
    count, size = int(bins.item()), int(length.item())
    # as onnxruntime has it, and ONNX's reference: the step divides by the number of places
    ends = [2595 * np.log10(1 + float(edge.item()) / 700) for edge in (low, high)]
    mels = ends[0] + np.arange(count + 2) * (ends[1] - ends[0]) / (count + 2)
    hertz = 700 * (10 ** (mels / 2595) - 1)
    places = np.floor((size + 1) * hertz / float(rate.item())).astype(np.int64)
    matrix = np.zeros((size // 2 + 1, count))
    for i, (left, middle, right) in enumerate(zip(places, places[1:], places[2:], strict=False)):
        if left == middle:
            matrix[middle, i] = 1
        else:
            matrix[left : middle + 1, i] = np.arange(middle - left + 1) / (middle - left)
        if right > middle:
            matrix[middle:right, i] = np.arange(right - middle, 0, -1) / (right - middle)
    return matrix.astype(numbered_dtype(op.output_datatype).numpy)


KERNELS: dict[type[Op], Callable[..., Any]] = {
    DFT: widened(dft),
    MelWeightMatrix: mel_weight_matrix,
}
