"""The transposes of convolution: in its input and in its weights."""

from __future__ import annotations

import numpy as np

from nncomp.backends.reference.kernels.products import product
from nncomp.backends.reference.kernels.windows import (
    chunks,
    crop,
    ints,
    is_plain,
    outputs,
    pad,
    padded_sizes,
    taps,
    view,
)
from nncomp.ops.windows import Window
from nncomp.types import Array

Windows = tuple[Window, ...]


def spread(dy: Array, w: Array, windows: Windows, group: int) -> Array:
    """The transpose of `correlate` in x: [N, C, sizes of the windows…]."""
    n, m = dy.shape[:2]
    per_group = w.shape[1]
    channels = per_group * group
    filters = w.reshape(group, m // group, -1)
    gradient = dy.reshape(n, group, m // group, -1)
    depthwise = per_group == 1 and group > 1
    if is_plain(windows) and not depthwise and _sizes(windows) == outputs(windows):
        dx: Array = product(filters.swapaxes(-1, -2), gradient)
        return dx.reshape(n, channels, *dy.shape[2:])
    padded = np.zeros((n, channels, *padded_sizes(windows)), dy.dtype)
    if dy.size and padded.size:
        if depthwise:
            _spread_depthwise(dy, w, windows, padded)
        else:
            _spread_columns(gradient, filters, windows, padded)
    return padded if padded.shape[2:] == _sizes(windows) else crop(padded, windows)


def _sizes(windows: Windows) -> tuple[int, ...]:
    return ints([v.size for v in windows])


def _spread_columns(gradient: Array, filters: Array, windows: Windows, padded: Array) -> None:
    n, channels = padded.shape[:2]
    sizes = outputs(windows)
    count = int(np.prod(ints([v.kernel for v in windows])))
    transposed = filters.swapaxes(-1, -2)
    for part in chunks(n, channels * count * gradient.shape[-1] * gradient.itemsize):
        columns = product(transposed, gradient[part])
        columns = columns.reshape(-1, channels, count, *sizes)
        block = padded[part]
        for tap, slices in enumerate(taps(windows)):
            met = view(block, slices)
            met += columns[:, :, tap]


def _spread_depthwise(dy: Array, w: Array, windows: Windows, padded: Array) -> None:
    channels = padded.shape[1]
    multiplier = w.shape[0] // channels
    spatial = (1,) * len(windows)
    filters = w.reshape(channels, multiplier, -1)
    gradient = dy.reshape(dy.shape[0], channels, multiplier, *dy.shape[2:])
    product = np.empty((dy.shape[0], channels, *dy.shape[2:]), dy.dtype)
    for j in range(multiplier):
        for tap, slices in enumerate(taps(windows)):
            factor = filters[:, j, tap].reshape(channels, *spatial)
            np.multiply(gradient[:, :, j], factor, out=product)
            met = view(padded, slices)
            met += product


def weight_gradient(x: Array, dy: Array, windows: Windows, group: int) -> Array:
    """The transpose of `correlate` in w: [M, C / group, kernel…]."""
    n, m = dy.shape[:2]
    per_group = x.shape[1] // group
    kernel = ints([v.kernel for v in windows])
    count = int(np.prod(kernel))
    padded = pad(x, windows)
    if per_group == 1 and group > 1:
        return _weight_gradient_depthwise(padded, dy, windows).reshape(m, 1, *kernel)
    dw = np.zeros((group, m // group, per_group * count), x.dtype)
    positions = int(np.prod(dy.shape[2:]))
    # one long product a chunk: batch and positions together are the summed axis
    for part in chunks(n, x.shape[1] * count * positions * x.itemsize):
        block = padded[part].swapaxes(0, 1)
        batch = block.shape[1]
        columns = np.empty((x.shape[1], count, batch, *dy.shape[2:]), x.dtype)
        for tap, slices in enumerate(taps(windows)):
            columns[:, tap] = view(block, slices)
        matrix = columns.reshape(group, per_group * count, batch * positions)
        gradient = np.ascontiguousarray(dy[part].swapaxes(0, 1))
        gradient = gradient.reshape(group, m // group, batch * positions)
        dw += product(gradient, matrix.swapaxes(-1, -2))
    return dw.reshape(m, per_group, *kernel)


def _weight_gradient_depthwise(padded: Array, dy: Array, windows: Windows) -> Array:
    channels, multiplier = padded.shape[1], dy.shape[1] // padded.shape[1]
    gradient = dy.reshape(dy.shape[0], channels, multiplier, *dy.shape[2:])
    columns = [
        np.einsum("ncp,ncjp->cj", met, gradient.reshape(*gradient.shape[:3], -1))
        for slices in taps(windows)
        for met in [view(padded, slices).reshape(*padded.shape[:2], -1)]
    ]
    return np.stack(columns, axis=-1)
