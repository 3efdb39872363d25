"""Attention, a few heads at a time: their scores stay in cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.precision import is_half, widened
from nncomp.backends.reference.kernels.windows import steps, together
from nncomp.backends.reference.threads import cores, each, shares
from nncomp.ops.attention import Attention
from nncomp.ops.rules import numbered_dtype
from nncomp.types import Array

_PRODUCTS = 16  # of two numbers, added up: as long as reading one and writing it
_PASSES = 16  # over the scores: exp takes half of them


def attention(
    op: Attention,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    past_key: Array | None = None,
    past_value: Array | None = None,
    lengths: Array | None = None,
    *,
    show: bool = True,
) -> tuple[Array, ...]:
    """show: whether the scores are a result, too"""
    queries = _heads(q, op.q_num_heads)
    keys, values = (_heads(x, op.kv_num_heads) for x in (k, v))
    if past_key is not None and past_value is not None:
        keys = np.concatenate((past_key, keys), 2)
        values = np.concatenate((past_value, values), 2)
    sizes = (*queries.shape[:3], keys.shape[2])
    offset: Any = 0 if past_key is None else past_key.shape[2]
    if lengths is not None:
        lengths = lengths.reshape(-1, 1, 1, 1)
        offset = lengths - sizes[2]
    bias = _bias(op, sizes, mask, offset, lengths, q.dtype)
    shown = np.empty(sizes, q.dtype) if show else None
    y = np.empty((sizes[0], sizes[2], sizes[1], values.shape[3]), q.dtype)
    if q.ndim == 4:
        y = np.empty((*sizes[:3], values.shape[3]), q.dtype).swapaxes(1, 2)
    _attend(op, queries, keys, values, bias, y.swapaxes(1, 2), shown)
    y = y.swapaxes(1, 2) if q.ndim == 4 else y.reshape(*y.shape[:2], -1)
    return (y, keys, values) if shown is None else (y, keys, values, shown)


def _heads(x: Array, heads: int | None) -> Array:
    """[N, heads, length, size]; a view."""
    if x.ndim == 4:
        return x
    assert heads is not None
    return x.reshape(*x.shape[:2], heads, x.shape[2] // heads).swapaxes(1, 2)


def _bias(
    op: Attention,
    sizes: tuple[int, ...],
    mask: Array | None,
    offset: Any,
    lengths: Array | None,
    dtype: np.dtype[Any],
) -> Array | None:
    """What is added to the scores, [N, heads, T, S]: -inf for a key that a query does not see."""
    key, query = np.arange(sizes[3]), np.arange(sizes[2])[:, None] + offset
    seen = []
    if op.is_causal:
        seen.append(key <= query)
    if op.left_window_size >= 0:
        seen.append(key >= query - op.left_window_size)
    if op.right_window_size >= 0:
        seen.append(key <= query + op.right_window_size)
    if lengths is not None:
        seen.append(key < lengths)
    bias = dtype.type(0)
    if mask is not None:
        if mask.ndim and mask.shape[-1] != sizes[3]:
            missing = [(0, 0)] * (mask.ndim - 1) + [(0, sizes[3] - mask.shape[-1])]
            out = False if mask.dtype == np.bool_ else -np.inf
            mask = np.pad(mask, missing, constant_values=out)
        if mask.dtype == np.bool_:
            seen.append(mask)
        else:
            bias = mask
    for condition in seen:
        bias = np.where(condition, bias, dtype.type(-np.inf))
    if not seen and mask is None:
        return None
    return np.broadcast_to(bias, sizes)


def _attend(
    op: Attention,
    q: Array,
    k: Array,
    v: Array,
    bias: Array | None,
    y: Array,
    shown: Array | None,
) -> None:
    """Y into `y`, and what the mode asks for into `shown`; all [N, heads, …]."""
    shared = k.shape[1]
    k, v = k[:, :, None].swapaxes(-1, -2), v[:, :, None]
    # heads of queries beside those of keys that they share: [N, kv_heads, as many, T, …]
    q, y = _grouped(q, shared), _grouped(y, shared)
    bias, shown = (None if x is None else _grouped(x, shared) for x in (bias, shown))
    scale = q.dtype.type(q.shape[-1] ** -0.5 if op.scale is None else op.scale)
    size = math.prod(q.shape[2:-1]) * k.shape[-1]  # of the scores of heads that share keys
    step = min(together(shared, size * q.itemsize), -(-shared // cores()))
    places = [(n, heads) for n in range(len(q)) for heads in steps(slice(shared), step)]

    def show(scores: Array, place: tuple[int, slice], mode: int) -> None:
        if shown is not None and op.qk_matmul_output_mode == mode:
            shown[place] = scores

    def some_heads(share: slice) -> None:
        for place in places[share]:
            scores = np.matmul(q[place] * scale, k[place])
            show(scores, place, 0)
            if op.softcap:
                scores /= scores.dtype.type(op.softcap)
                np.tanh(scores, out=scores)
                scores *= scores.dtype.type(op.softcap)
            show(scores, place, 1)
            if bias is not None:
                scores += bias[place]
            show(scores, place, 2)
            weights = _softmax(op, scores)
            if bias is not None:  # of a query that sees nothing all weights are 0
                blind = bias[place].max(-1, keepdims=True) == -np.inf
                np.copyto(weights, 0, where=blind)
            show(weights, place, 3)
            np.matmul(weights, v[place], out=y[place])

    work = len(q) * shared * size * ((q.shape[-1] + v.shape[-1]) // _PRODUCTS + _PASSES)
    each(some_heads, shares(len(places), work))


def _grouped(x: Array, groups: int) -> Array:
    """[N, groups, heads of a group, …] of [N, heads, …]; a view."""
    return x.reshape(len(x), groups, -1, *x.shape[2:])


def _softmax(op: Attention, scores: Array) -> Array:
    """Over the last axis, which it may overwrite, in the precision that the operator names."""
    own = scores.dtype
    if op.softmax_precision is not None:
        scores = scores.astype(numbered_dtype(op.softmax_precision).numpy, copy=False)
    named = scores.dtype
    if is_half(scores):
        scores = scores.astype(np.float32)
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    return scores.astype(named, copy=False).astype(own, copy=False)


KERNELS: dict[type[Any], Callable[..., Any]] = {Attention: widened(attention)}
# kernels of the first result, for when nobody uses the others
FIRST_RESULT: dict[type[Any], Callable[..., Any]] = {
    Attention: widened(partial(attention, show=False))
}
