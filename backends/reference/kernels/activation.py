"""Activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.blocks import blockwise
from nncomp.backends.reference.kernels.elementwise import into
from nncomp.backends.reference.kernels.erf import atanh_erf, erf
from nncomp.backends.reference.kernels.precision import widened
from nncomp.backends.reference.threads import each, shares
from nncomp.ir.op import Op
from nncomp.ops import activation as a
from nncomp.types import Array

_SOFTMAX_PASSES = 8  # over its operand


def relu(_op: a.Relu, x: Array, out: Array | None = None) -> Array:
    if x.dtype.kind == "f":  # np.maximum with a scalar is not vectorised
        return np.asarray(np.clip(x, 0, np.inf, out=out))
    return np.asarray(np.maximum(x, x.dtype.type(0), out=out))


def relu_grad(_op: a.ReluGrad, dy: Array, y: Array) -> Array:
    return np.asarray(dy * (y > 0))


def sigmoid(_op: a.Sigmoid, x: Array, out: Array | None = None) -> Array:
    y = np.asarray(np.negative(x, out=out))
    np.exp(y, out=y)  # may overflow: 1 / inf is the right 0
    y += 1
    return np.asarray(np.divide(1, y, out=y))


def leaky_relu(op: a.LeakyRelu, x: Array) -> Array:
    return np.asarray(np.where(x >= 0, x, x * op.alpha))


def elu(op: a.Elu, x: Array) -> Array:
    return np.asarray(np.where(x > 0, x, np.expm1(x) * op.alpha))


def selu(op: a.Selu, x: Array) -> Array:
    return np.asarray(np.where(x > 0, x, np.expm1(x) * op.alpha) * op.gamma)


def prelu(_op: a.PRelu, x: Array, slope: Array) -> Array:
    return np.asarray(np.where(x >= 0, x, x * slope))


def hard_sigmoid(op: a.HardSigmoid, x: Array) -> Array:
    return np.asarray(np.clip(x * op.alpha + op.beta, 0, 1))


def hard_swish(_op: a.HardSwish, x: Array) -> Array:
    return np.asarray(x * np.clip(x / 6 + 0.5, 0, 1))


def softplus(_op: a.Softplus, x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def softsign(_op: a.Softsign, x: Array) -> Array:
    return np.asarray(x / (1 + np.abs(x)))


def gelu(op: a.Gelu, x: Array, out: Array | None = None) -> Array:
    return blockwise(partial(gelu_into, op), x, out)


def gelu_into(op: a.Gelu, x: Array, y: Array) -> None:
    """y: may be x"""
    (_gelu_tanh if op.approximate == "tanh" else _gelu)(x, y)


def _gelu(x: Array, y: Array) -> None:
    half = x * x.dtype.type(0.5)
    if x.dtype == np.float32:
        t = atanh_erf(half, math.sqrt(2))
        np.tanh(t, out=t)
    else:
        t = half * math.sqrt(2)
        erf(t, t)
    t += 1
    np.multiply(t, half, out=y)


def _gelu_tanh(x: Array, y: Array) -> None:
    half = x * x.dtype.type(0.5)
    t = np.square(half)
    t *= 8 * 0.044715 * math.sqrt(2 / math.pi)
    t += 2 * math.sqrt(2 / math.pi)
    t *= half
    np.tanh(t, out=t)
    t += 1
    np.multiply(t, half, out=y)


def softmax(op: a.Softmax, x: Array, out: Array | None = None) -> Array:
    y = np.empty_like(x) if out is None else out
    if op.axis % x.ndim != x.ndim - 1 or not x.flags.c_contiguous or not y.flags.c_contiguous:
        return _softmax(x, op.axis, y)
    rows, results = x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1])
    each(
        lambda part: _softmax(rows[part], 1, results[part]),
        shares(len(rows), x.size * _SOFTMAX_PASSES),
    )
    return y


def _softmax(x: Array, axis: int, y: Array) -> Array:
    np.subtract(x, x.max(axis, keepdims=True), out=y)
    np.exp(y, out=y)
    y /= y.sum(axis, keepdims=True)
    return y


def hardmax(op: a.Hardmax, x: Array) -> Array:
    y = np.zeros_like(x)
    np.put_along_axis(y, np.expand_dims(x.argmax(op.axis), op.axis), 1, op.axis)
    return y


def log_softmax(op: a.LogSoftmax, x: Array) -> Array:
    return shifted_log_softmax(x, op.axis)


def shifted_log_softmax(x: Array, axis: int) -> Array:
    """x - log Σ exp(x) along an axis, without overflow."""
    y = x - x.max(axis, keepdims=True)
    y -= np.log(np.exp(y).sum(axis, keepdims=True))
    return np.asarray(y)


KERNELS: dict[type[Op], Callable[..., Any]] = {
    a.Relu: relu,
    a.ReluGrad: relu_grad,
    a.Sigmoid: widened(sigmoid),
    a.Tanh: into(np.tanh),
    a.LeakyRelu: widened(leaky_relu),
    a.Elu: widened(elu),
    a.Selu: widened(selu),
    a.PRelu: prelu,
    a.HardSigmoid: widened(hard_sigmoid),
    a.HardSwish: widened(hard_swish),
    a.Softplus: widened(softplus),
    a.Softsign: widened(softsign),
    a.Gelu: widened(gelu),
    a.Softmax: widened(softmax),
    a.Hardmax: hardmax,
    a.LogSoftmax: widened(log_softmax),
}
# from an array, any part of a result, into another, which may be the same
IN_PARTS: dict[type[Op], Callable[[Any, Array, Array], Any]] = {
    a.Gelu: gelu_into,
    a.Relu: relu,
    a.Sigmoid: sigmoid,
    a.Tanh: lambda _op, x, y: np.tanh(x, out=y),
}
