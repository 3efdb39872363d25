"""Reductions, ArgMax, ArgMin and running sums and products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.elementwise import truncated_quotient
from nncomp.backends.reference.kernels.precision import widened
from nncomp.ir.op import Op
from nncomp.ops import reduction as r
from nncomp.ops.reduction import normalize_axes
from nncomp.types import Array

Axes = tuple[int, ...]
Reducer = Callable[[Array, Axes, bool], Any]


def _kernel(reducer: Reducer) -> Callable[..., Any]:
    """A kernel from a function of (operand, axes, keepdims)."""

    def kernel(op: r.Reduction, x: Array, axes: Array | None = None) -> Array:
        if axes is not None and axes.size:
            places = normalize_axes(tuple(int(axis) for axis in axes), x.ndim)
        else:
            places = () if op.noop_with_empty_axes else tuple(range(x.ndim))
        return np.asarray(reducer(x, places, bool(op.keepdims)))

    return widened(kernel)


def _sum(x: Array, axes: Axes, keep: bool) -> Any:
    return np.sum(x, axes, x.dtype, keepdims=keep)


def _mean(x: Array, axes: Axes, keep: bool) -> Any:
    count = x.dtype.type(np.prod([x.shape[axis] for axis in axes], dtype=np.int64))
    total = _sum(x, axes, keep)
    return total / count if x.dtype.kind == "f" else truncated_quotient(total, count)


def _max(x: Array, axes: Axes, keep: bool) -> Any:
    return np.max(x, axes, keepdims=keep, initial=_limits(x)[0])


def _min(x: Array, axes: Axes, keep: bool) -> Any:
    return np.min(x, axes, keepdims=keep, initial=_limits(x)[1])


def _limits(x: Array) -> tuple[Any, Any]:
    if x.dtype.kind == "b":
        return False, True
    if x.dtype.kind in "iu":
        info = np.iinfo(x.dtype)
        return info.min, info.max
    return -np.inf, np.inf


def _prod(x: Array, axes: Axes, keep: bool) -> Any:
    return np.prod(x, axes, x.dtype, keepdims=keep)


def _sum_square(x: Array, axes: Axes, keep: bool) -> Any:
    return _sum(x * x, axes, keep)


def _l1(x: Array, axes: Axes, keep: bool) -> Any:
    return _sum(np.abs(x), axes, keep)


def _l2(x: Array, axes: Axes, keep: bool) -> Any:
    return np.sqrt(_sum(x * x, axes, keep)).astype(x.dtype)


def _log_sum(x: Array, axes: Axes, keep: bool) -> Any:
    return np.log(_sum(x, axes, keep))


def _log_sum_exp(x: Array, axes: Axes, keep: bool) -> Any:
    largest = _max(x, axes, True)
    largest = np.where(np.isfinite(largest), largest, x.dtype.type(0))
    result = np.log(_sum(np.exp(x - largest), axes, True)) + largest
    return result if keep else np.squeeze(result, axes)


def _arg(
    find: Callable[..., Any],
) -> Callable[[r.ArgExtremum, Array], Array]:
    def kernel(op: r.ArgExtremum, x: Array) -> Array:
        if op.select_last_index:
            place = x.shape[op.axis] - 1 - find(np.flip(x, op.axis), op.axis)
        else:
            place = find(x, op.axis)
        if op.keepdims:
            place = np.expand_dims(place, op.axis % x.ndim)
        return np.asarray(place, np.int64)

    return kernel


def cum_sum(op: r.CumSum, x: Array, axis: Array) -> Array:
    place = int(axis.item())
    ordered = np.flip(x, place) if op.reverse else x
    total = np.cumsum(ordered, place, x.dtype)
    if op.exclusive:
        total = total - ordered
    return np.flip(total, place) if op.reverse else total


def cum_prod(op: r.CumProd, x: Array, axis: Array) -> Array:
    place = int(axis.item()) % x.ndim
    if op.reverse:
        x = np.flip(x, place)
    y = np.cumprod(x, place, dtype=x.dtype)
    if op.exclusive:
        y = np.roll(y, 1, place)
        y[(slice(None),) * place + (slice(0, 1),)] = 1
    return np.flip(y, place) if op.reverse else y


KERNELS: dict[type[Op], Callable[..., Any]] = {
    r.ReduceSum: _kernel(_sum),
    r.ReduceMean: _kernel(_mean),
    r.ReduceMax: _kernel(_max),
    r.ReduceMin: _kernel(_min),
    r.ReduceProd: _kernel(_prod),
    r.ReduceSumSquare: _kernel(_sum_square),
    r.ReduceL1: _kernel(_l1),
    r.ReduceL2: _kernel(_l2),
    r.ReduceLogSum: _kernel(_log_sum),
    r.ReduceLogSumExp: _kernel(_log_sum_exp),
    r.ArgMax: _arg(np.argmax),
    r.ArgMin: _arg(np.argmin),
    r.CumSum: widened(cum_sum),
    r.CumProd: widened(cum_prod),
}
