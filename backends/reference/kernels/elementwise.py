"""Elementwise arithmetic, functions, comparisons and logic."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.blocks import blockwise
from nncomp.backends.reference.kernels.erf import erf
from nncomp.backends.reference.kernels.precision import widened
from nncomp.ir.op import Op
from nncomp.ops import comparison as c
from nncomp.ops import elementwise as e
from nncomp.ops import elementwise_math as m
from nncomp.ops import trigonometry as t
from nncomp.types import Array


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel of an operator without attributes."""

    def kernel(_op: Op, *operands: Array) -> Any:
        return function(*operands)

    return kernel


def into(function: np.ufunc) -> Callable[..., Any]:
    """The kernel of a ufunc, which computes into an array that it may be given."""

    def kernel(_op: Op, *operands: Array, out: Array | None = None) -> Any:
        return function(*operands, out=out)

    return kernel


def divide(_op: e.Div, a: Array, b: Array, out: Array | None = None) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(np.divide(a, b, out=out))
    return truncated_quotient(a, b)


def truncated_quotient(a: Array, b: Array) -> Array:
    """Of integers, rounded towards zero."""
    quotient = np.floor_divide(a, b)
    if a.dtype.kind == "u":
        return np.asarray(quotient)
    below = ((a < 0) != (b < 0)) & (quotient * b != a)  # rounded down, not towards zero
    return np.asarray(quotient + below.astype(a.dtype))


def modulo(op: e.Mod, a: Array, b: Array) -> Array:
    return np.asarray(np.fmod(a, b) if op.fmod else np.mod(a, b))


def power(_op: m.Pow, x: Array, y: Array) -> Array:
    if y.size == 1 and y.ndim <= x.ndim:  # np.power is slow, and these are what models have
        exponent = float(y.item())
        if exponent == 2:
            return np.asarray(x * x)
        if exponent == 3:
            return np.asarray(x * x * x)
        if exponent == 0.5 and x.dtype.kind == "f":
            return np.asarray(np.sqrt(x))
    if x.dtype.kind in "iu":
        whole = y.dtype.kind in "iu" and not np.any(y < 0)
        result = np.power(x, y.astype(x.dtype)) if whole else np.power(x.astype(np.float64), y)
        return np.asarray(result).astype(x.dtype)
    return np.asarray(np.power(x, y.astype(x.dtype)))


def mean(_op: e.Mean, *operands: Array) -> Array:
    return np.asarray(reduce(np.add, operands) / operands[0].dtype.type(len(operands)))


def clip(
    _op: e.Clip,
    x: Array,
    low: Array | None = None,
    high: Array | None = None,
    out: Array | None = None,
) -> Array:
    if low is not None and high is not None:  # twice as fast as one after the other
        return np.asarray(np.clip(x, low, high, out=out))
    if low is not None:
        x = out = np.maximum(x, low, out=out)
    if high is not None:
        x = np.minimum(x, high, out=out)
    return x


def erf_kernel(_op: m.Erf, x: Array, out: Array | None = None) -> Array:
    return blockwise(erf, x, out)


def is_inf(op: c.IsInf, x: Array) -> Array:
    found = np.isinf(x)
    if not op.detect_negative:
        found &= x > 0
    if not op.detect_positive:
        found &= x < 0
    return np.asarray(found)


def _fold(function: Callable[[Array, Array], Array]) -> Callable[..., Any]:
    def kernel(_op: Op, *operands: Array) -> Array:
        return reduce(function, operands)

    return kernel


KERNELS: dict[type[Op], Callable[..., Any]] = {
    e.Add: into(np.add),
    e.Sub: into(np.subtract),
    e.Mul: into(np.multiply),
    e.Div: divide,
    e.Mod: modulo,
    e.Neg: into(np.negative),
    e.Min: _fold(np.minimum),
    e.Max: _fold(np.maximum),
    e.Sum: _fold(np.add),
    e.Mean: mean,
    e.Clip: clip,
    m.Abs: into(np.abs),
    m.Sign: into(np.sign),
    m.Sqrt: into(np.sqrt),
    m.Reciprocal: plain(lambda x: np.divide(x.dtype.type(1), x)),
    m.Exp: into(np.exp),
    m.Log: into(np.log),
    t.Sin: into(np.sin),
    t.Cos: into(np.cos),
    t.Tan: into(np.tan),
    t.Asin: into(np.arcsin),
    t.Acos: into(np.arccos),
    t.Atan: into(np.arctan),
    t.Sinh: into(np.sinh),
    t.Cosh: into(np.cosh),
    t.Asinh: into(np.arcsinh),
    t.Acosh: into(np.arccosh),
    t.Atanh: into(np.arctanh),
    m.Erf: widened(erf_kernel),
    m.Floor: into(np.floor),
    m.Ceil: into(np.ceil),
    m.Round: into(np.rint),
    m.Pow: power,
    c.Equal: into(np.equal),
    c.Greater: into(np.greater),
    c.GreaterOrEqual: into(np.greater_equal),
    c.Less: into(np.less),
    c.LessOrEqual: into(np.less_equal),
    c.And: into(np.logical_and),
    c.Or: into(np.logical_or),
    c.Xor: into(np.logical_xor),
    c.Not: into(np.logical_not),
    c.IsNaN: into(np.isnan),
    c.IsInf: is_inf,
}
