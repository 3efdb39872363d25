"""Normalization. Sums run along contiguous axes first, where NumPy adds pairwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.precision import is_half, widened
from nncomp.ops.normalization import (
    LRN,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    LpNormalization,
    MeanVarianceNormalization,
    RMSNormalization,
    stash_dtype,
)
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormGrad, BatchNormTraining
from nncomp.types import Array, DType


def _per_channel(vector: Array, x: Array) -> Array:
    return vector.reshape(-1, *(1,) * (x.ndim - 2))


def _channel_sum(x: Array) -> Array:
    """The sum over all axes but the channels'."""
    sums: Array = x.reshape(*x.shape[:2], -1).sum(axis=2).sum(axis=0)
    return sums


def _channel_dot(x: Array, y: Array) -> Array:
    """The sum of products over all axes but the channels'."""
    shape = (*x.shape[:2], -1)
    dots: Array = np.einsum("ncp,ncp->nc", x.reshape(shape), y.reshape(shape)).sum(axis=0)
    return dots


def batch_normalization(
    op: BatchNormalization, x: Array, scale: Array, bias: Array, mean: Array, var: Array
) -> tuple[Array, ...]:
    dtype = np.dtype(np.float32) if is_half(x) else x.dtype
    wide, scale, bias = (a.astype(dtype, copy=False) for a in (x, scale, bias))
    if op.training_mode:
        y, batch_mean, batch_var, _ = _normalized(wide, scale, bias, op.epsilon)
        running = [
            (old * op.momentum + new * (1 - op.momentum)).astype(old.dtype)
            for old, new in ((mean, batch_mean), (var, batch_var))
        ]
        return y.astype(x.dtype, copy=False), *running
    slope = scale / np.sqrt(var.astype(dtype) + op.epsilon)
    offset = bias - mean.astype(dtype) * slope
    y = wide * _per_channel(slope, x)
    y += _per_channel(offset, x)
    return (y.astype(x.dtype, copy=False),)


def _normalized(x: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, ...]:
    elements = x.size // x.shape[1]
    mean = _channel_sum(x) / elements
    y = x - _per_channel(mean, x)
    var = _channel_dot(y, y) / elements
    inv_std = 1 / np.sqrt(var + epsilon)
    y *= _per_channel(scale * inv_std, x)
    y += _per_channel(bias, x)
    return y, mean.astype(x.dtype), var.astype(x.dtype), inv_std.astype(x.dtype)


@widened
def batch_norm_training(
    op: BatchNormTraining, x: Array, scale: Array, bias: Array
) -> tuple[Array, ...]:
    return _normalized(x, scale, bias, op.epsilon)


@widened
def batch_norm_grad(
    op: BatchNormGrad, dy: Array, x: Array, scale: Array, mean: Array, inv_std: Array
) -> tuple[Array, ...]:
    elements = x.size // x.shape[1]
    dx = x - _per_channel(mean, x)
    total, weighted = _channel_sum(dy), _channel_dot(dy, dx) * inv_std
    # dX = slope · (dY - (total + x̂ · weighted) / M), with dx holding X - mean
    dx *= _per_channel(-inv_std * weighted / elements, x)
    dx -= _per_channel(total / elements, x)
    dx += dy
    dx *= _per_channel(scale * inv_std, x)
    return dx, weighted, total


def _stashed(x: Array, stash_type: int) -> Array:
    """x in the dtype of its statistics; bfloat16 ones are computed in float32 and rounded."""
    dtype = stash_dtype(DType.of(x), stash_type)
    return x.astype(np.float32 if dtype.size == 2 else dtype.numpy, copy=False)


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    """The mean over the last axes, which stay with one element each. Over one axis it is a product
    with ones, which takes a quarter of the time."""
    if len(axes) > 1:
        return np.asarray(x.mean(axis=axes, keepdims=True))
    mean: Array = (x @ np.ones(x.shape[-1], x.dtype))[..., None]
    mean /= x.dtype.type(x.shape[-1])
    return mean


def layer_normalization(
    op: LayerNormalization,
    x: Array,
    scale: Array,
    bias: Array | None = None,
    out: Array | None = None,
) -> tuple[Array, ...]:
    axes = tuple(range(op.axis % x.ndim, x.ndim))
    wide = _stashed(x, op.stash_type)
    mean = _mean(wide, axes)
    y: Array = np.subtract(wide, mean, out=out if out is wide else None)
    var = _mean(np.square(y), axes)
    inv_std = 1 / np.sqrt(var + op.epsilon)
    y *= inv_std
    y = y.astype(x.dtype, copy=False)
    y *= scale
    if bias is not None:
        y += bias
    stash = stash_dtype(DType.of(x), op.stash_type).numpy
    return y, mean.astype(stash, copy=False), inv_std.astype(stash, copy=False)


def rms_normalization(op: RMSNormalization, x: Array, scale: Array) -> Array:
    axes = tuple(range(op.axis % x.ndim, x.ndim))
    wide = _stashed(x, op.stash_type)
    square = _mean(np.square(wide), axes)
    y: Array = (wide / np.sqrt(square + op.epsilon)).astype(x.dtype, copy=False)
    y *= scale
    return y


def _standardized(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    y: Array = x - x.mean(axis=axes, keepdims=True)
    y /= np.sqrt(np.square(y).mean(axis=axes, keepdims=True) + epsilon)
    return y


@widened
def instance_normalization(op: InstanceNormalization, x: Array, scale: Array, bias: Array) -> Array:
    y = _standardized(x, tuple(range(2, x.ndim)), op.epsilon)
    y *= _per_channel(scale, x)
    y += _per_channel(bias, x)
    return y


@widened
def group_normalization(op: GroupNormalization, x: Array, scale: Array, bias: Array) -> Array:
    groups = x.reshape(x.shape[0], op.num_groups, -1)
    y = _standardized(groups, (2,), op.epsilon).reshape(x.shape)
    y *= _per_channel(scale, x)
    y += _per_channel(bias, x)
    return y


@widened
def lrn(op: LRN, x: Array) -> Array:
    channels, before = x.shape[1], (op.size - 1) // 2
    sums = np.zeros_like(x)
    squares = x * x
    for shift in range(-before, op.size - before):  # channel c takes channel c + shift
        first, last = max(0, -shift), min(channels, channels - shift)
        if first < last:
            sums[:, first:last] += squares[:, first + shift : last + shift]
    sums *= op.alpha / op.size
    sums += op.bias
    return x / np.power(sums, op.beta, out=sums)


@widened
def lp_normalization(op: LpNormalization, x: Array) -> Array:
    powers = np.abs(x) if op.p == 1 else x * x
    norm: Array = powers.sum(axis=op.axis, keepdims=True)
    norm[norm == 0] = 1  # 0 / 1 is what is wanted then
    return x / (norm if op.p == 1 else np.sqrt(norm))


@widened
def mean_variance_normalization(op: MeanVarianceNormalization, x: Array) -> Array:
    y: Array = x - x.mean(axis=op.axes, keepdims=True)
    y /= np.sqrt(np.square(y).mean(axis=op.axes, keepdims=True)) + 1e-9
    return y


KERNELS: dict[type[Any], Callable[..., Any]] = {
    BatchNormalization: batch_normalization,
    BatchNormTraining: batch_norm_training,
    BatchNormGrad: batch_norm_grad,
    LayerNormalization: layer_normalization,
    RMSNormalization: rms_normalization,
    InstanceNormalization: instance_normalization,
    GroupNormalization: group_normalization,
    LRN: lrn,
    LpNormalization: lp_normalization,
    MeanVarianceNormalization: mean_variance_normalization,
}
