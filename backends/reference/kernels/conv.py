"""Convolution and its gradients: im2col by slices and BLAS; depthwise by multiply-accumulate."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nncomp.backends.reference.kernels.precision import widened
from nncomp.backends.reference.kernels.windows import (
    blocks,
    chunks,
    crop,
    interior,
    ints,
    is_plain,
    is_pointwise,
    outputs,
    pad,
    padded_sizes,
    taps,
    together,
    view,
    windowed,
)
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.convolution import Convolution
from nncomp.ops.fused import FusedConv
from nncomp.ops.windows import Window
from nncomp.types import Array

_FEW_FILTERS = 64  # their products cost less than short runs of columns

Windows = tuple[Window, ...]
Finish = Callable[[Array, slice, slice], Any]


def _as_it_is(part: Array, samples: slice, channels: slice) -> None:
    """Nothing follows the convolution."""


def correlate(
    x: Array, w: Array, windows: Windows, group: int, finish: Finish = _as_it_is
) -> Array:
    """Σ over taps and channels of padded x times w: [N, M, spatial…], a new array.

    finish: what follows, in place, called with each part of the result while it is in cache, and
        with its samples and channels
    """
    n, m = x.shape[0], w.shape[0]
    y = np.empty((n, m, *outputs(windows)), x.dtype)
    if y.size == 0 or x.size == 0:
        y[...] = 0
        finish(y, slice(n), slice(m))
    elif group > 1:
        _correlate_groups(x, w, windows, y, group, finish)
    else:
        _correlate_dense(x, w, windows, y)
        for samples, channels in blocks(n, m, y[0, 0].nbytes):
            finish(y[samples, channels], samples, channels)
    return y


def _correlate_dense(x: Array, w: Array, windows: Windows, y: Array) -> None:
    n, m = y.shape[:2]
    filters, flat = w.reshape(m, -1), y.reshape(n, m, -1)
    if is_pointwise(windows):
        np.matmul(filters, _strided(x, windows).reshape(*x.shape[:2], -1), out=flat)
        return
    length, places = filters.shape[-1], flat.shape[-1]
    step = together(n, length * places * x.itemsize)
    if _in_whole_rows(windows, m, step):
        _correlate_rows(x, filters, windows, y, step)
        return
    for first in range(0, n, step):
        samples = slice(first, first + step)
        met = windowed(pad(x[samples], windows), windows)
        if met.shape[0] == 1:
            _correlate_sample(met[0], filters, flat[first], y.shape[2])
            continue
        # one product for all of them: [channels and taps, samples and positions]
        columns = np.moveaxis(met, 0, len(windows) + 1).reshape(length, -1)
        product = np.matmul(filters, columns).reshape(m, -1, places)
        np.copyto(flat[samples], product.swapaxes(0, 1))


def _in_whole_rows(windows: Windows, filters: int, samples: int) -> bool:
    """Whether columns are to be taken with what lies between the rows of the result: long runs to
    copy, for a few products that are thrown away."""
    if len(windows) != 2 or any(v.stride != 1 for v in windows):
        return False
    wasted = padded_sizes(windows)[1] / outputs(windows)[1]
    return wasted <= 1.5 and filters <= _FEW_FILTERS and samples > 1


def _correlate_rows(x: Array, filters: Array, windows: Windows, y: Array, step: int) -> None:
    """`step` samples in one product, all in the same memory; [N, C, H, W]."""
    channels, (height, width), across = x.shape[1], y.shape[2:], padded_sizes(windows)[1]
    kernel, run = ints([v.kernel for v in windows]), (height - 1) * across + width
    columns = np.empty((channels, *kernel, step, run), x.dtype)
    product = np.empty((len(filters), step * run), x.dtype)
    item = x.itemsize
    found = as_strided(  # the products of each sample that are wanted
        product,
        (step, len(filters), height, width),
        (run * item, product.strides[0], across * item, item),
    )
    for first in range(0, len(x), step):
        padded = pad(x[first : first + step], windows)
        used = len(padded)
        *outer, down, right = padded.strides
        met = as_strided(
            padded,
            (used, channels, *kernel, run),
            (*outer, down * windows[0].dilation, right * windows[1].dilation, right),
            writeable=False,
        )
        np.copyto(columns[..., :used, :], np.moveaxis(met, 0, 3))
        np.matmul(filters, columns.reshape(filters.shape[-1], -1), out=product)
        y[first : first + used] = found[:used]


def _correlate_sample(met: Array, filters: Array, y: Array, rows: int) -> None:
    """filters times what the taps meet, [channels, taps…, positions…], a few rows at a time."""
    length, width = filters.shape[-1], y.shape[-1] // rows
    outer = (slice(None),) * (met.ndim // 2 + 1)
    step = together(rows, length * width * y.itemsize)
    for first in range(0, rows, step):
        columns = met[(*outer, slice(first, first + step))].reshape(length, -1)
        np.matmul(filters, columns, out=y[:, first * width : (first + step) * width])


def _correlate_groups(
    x: Array, w: Array, windows: Windows, y: Array, group: int, finish: Finish
) -> None:
    """As many groups at a time as stay in cache, all in the same memory."""
    n, m = y.shape[:2]
    taken, given = x.shape[1] // group, m // group
    length, places = w[0].size, y[0, 0].size
    pieces = _pieces(y.shape[2], length * places)
    filters = w.reshape(group, 1, given, length)
    inputs = x.reshape(n, group, taken, *x.shape[2:])
    results = y.reshape(n, group, given, pieces, -1).swapaxes(2, 3)
    step = together(group, length * places * x.itemsize)
    padded = np.zeros((step, taken, *padded_sizes(windows)), x.dtype)
    inside, met = view(padded, interior(windows)), windowed(padded, windows)
    columns = np.empty(met.shape, x.dtype)
    matrices = columns.reshape(step, length, pieces, -1).swapaxes(1, 2)
    for sample, start in itertools.product(range(n), range(0, group, step)):
        groups = slice(start, min(group, start + step))
        used = slice(groups.stop - start)
        inside[used] = inputs[sample, groups]
        np.copyto(columns[used], met[used])
        np.matmul(filters[groups], matrices[used], out=results[sample, groups])
        samples, channels = slice(sample, sample + 1), slice(start * given, groups.stop * given)
        finish(y[samples, channels], samples, channels)


def _pieces(rows: int, size: int) -> int:
    """In how many pieces of rows to take a product with columns of that size: BLAS would use
    threads of its own for a larger one, and these get into the way of ours."""
    return next(d for d in range(1, rows + 1) if rows % d == 0 and (d == rows or size // d < 9216))


def _strided(x: Array, windows: Windows) -> Array:
    """What pointwise windows meet: x itself at stride 1."""
    return view(x, taps(windows)[0])


def spread(dy: Array, w: Array, windows: Windows, group: int) -> Array:
    """The transpose of `correlate` in x: [N, C, sizes of the windows…]."""
    n, m = dy.shape[:2]
    per_group = w.shape[1]
    channels = per_group * group
    filters = w.reshape(group, m // group, -1)
    gradient = dy.reshape(n, group, m // group, -1)
    depthwise = per_group == 1 and group > 1
    if is_plain(windows) and not depthwise and _sizes(windows) == outputs(windows):
        dx: Array = np.matmul(filters.swapaxes(-1, -2), gradient)
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
        columns = np.matmul(transposed, gradient[part])
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
        dw += np.matmul(gradient, matrix.swapaxes(-1, -2))
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


def _add_bias(y: Array, bias: Array | None) -> Array:
    if bias is not None:
        y += bias.reshape(-1, *(1,) * (y.ndim - 2))
    return y


@widened
def conv(op: Convolution, x: Array, w: Array, bias: Array | None = None) -> Array:
    def finish(part: Array, _samples: slice, channels: slice) -> None:
        _add_bias(part, None if bias is None else bias[channels])

    return correlate(x, w, op.windows(x.shape, w.shape), op.group, finish)


@widened
def conv_transpose(op: ConvTranspose, x: Array, w: Array, bias: Array | None = None) -> Array:
    return _add_bias(spread(x, w, op.transposed(x.shape, w.shape), op.group), bias)


@widened
def conv_input_grad(op: ConvInputGrad, dy: Array, w: Array, shape: Array) -> Array:
    return spread(dy, w, op.windows(ints(shape), w.shape), op.group)


@widened
def conv_weight_grad(op: ConvWeightGrad, x: Array, dy: Array, shape: Array) -> Array:
    return weight_gradient(x, dy, op.windows(x.shape, ints(shape)), op.group)


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
    return np.clip(y, low, high, out=y)


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
    "Relu": lambda y: np.clip(y, 0, np.inf, out=y),
    "Sigmoid": _sigmoid,
    "Tanh": lambda y: np.tanh(y, out=y),
    "LeakyRelu": _leaky_relu,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Swish": _swish,
    "Elu": _elu,
}


@widened
def fused_conv(
    op: FusedConv, x: Array, w: Array, bias: Array | None = None, z: Array | None = None
) -> Array:
    def finish(part: Array, samples: slice, channels: slice) -> None:
        _add_bias(part, None if bias is None else bias[channels])
        if z is not None:
            part += z[samples, channels]
        if op.activation:
            IN_PLACE[op.activation](part, *op.activation_params)

    return correlate(x, w, op.windows(x.shape, w.shape), op.group, finish)


KERNELS: dict[type[Any], Callable[..., Any]] = {
    Conv: conv,
    ConvTranspose: conv_transpose,
    ConvInputGrad: conv_input_grad,
    ConvWeightGrad: conv_weight_grad,
    FusedConv: fused_conv,
}
