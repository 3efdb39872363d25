"""Gathering, scattering and sorting by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops import indexing as i
from nncomp.ops import indexing_nd as nd
from nncomp.types import Array


def gather(op: i.Gather, data: Array, indices: Array) -> Array:
    return np.asarray(np.take(data, indices, op.axis))


def gather_grad(op: i.GatherGrad, dy: Array, indices: Array, shape: Array) -> Array:
    """Rows sorted by index and summed run by run: much faster than np.add.at on rows."""
    sizes = [int(size) for size in shape]
    axis = op.axis % len(sizes)
    flat = indices.reshape(-1)
    if flat.size and (flat.min() < -sizes[axis] or flat.max() >= sizes[axis]):
        raise IndexError(f"an index is out of range for size {sizes[axis]}")
    rows = dy.reshape(*dy.shape[:axis], flat.size, *dy.shape[axis + indices.ndim :])
    dx = np.zeros(sizes, dy.dtype)
    if not flat.size:
        return dx
    flat = np.where(flat < 0, flat + sizes[axis], flat)
    order = np.argsort(flat, kind="stable")
    places = flat[order]
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
    sums = np.add.reduceat(np.take(rows, order, axis), starts, axis)
    dx[(slice(None),) * axis + (places[starts],)] = sums
    return dx


def _places(indices: Array, axis: int, size: int) -> Array:
    """Indices counted from the front; IndexError for one out of range."""
    if indices.size and (indices.min() < -size or indices.max() >= size):
        raise IndexError(f"an index is out of range for size {size} of axis {axis}")
    return np.where(indices < 0, indices + size, indices)


def gather_elements(op: i.GatherElements, data: Array, indices: Array) -> Array:
    axis = op.axis % data.ndim
    places = _places(indices, axis, data.shape[axis])
    own = tuple(slice(0, n) if k != axis else slice(None) for k, n in enumerate(indices.shape))
    return np.asarray(np.take_along_axis(data[own], places, axis))


def scatter_elements(op: i.ScatterElements, data: Array, indices: Array, updates: Array) -> Array:
    axis = op.axis % data.ndim
    result: Array = data.copy()
    where: list[Array] = list(np.indices(indices.shape, sparse=True))
    where[axis] = _places(indices, axis, data.shape[axis])
    flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*where)), data.shape).reshape(-1)
    target = result.reshape(-1)
    values = updates.reshape(-1)
    if op.reduction == "none":
        target[flat] = values
    else:
        _REDUCTIONS[op.reduction].at(target, flat, values)
    return result


def gather_nd(op: nd.GatherND, data: Array, indices: Array) -> Array:
    return np.asarray(data[_tuples(data.shape, indices, op.batch_dims)])


def scatter_nd(op: nd.ScatterND, data: Array, indices: Array, updates: Array) -> Array:
    result: Array = data.copy()
    where = _tuples(data.shape, indices, 0)
    if op.reduction == "none":
        result[where] = updates
    else:
        _REDUCTIONS[op.reduction].at(result, where, updates)
    return result


def _tuples(sizes: tuple[int, ...], indices: Array, batch_dims: int) -> tuple[Array, ...]:
    """Index tuples as NumPy takes them: one array for each axis that is named or of the batch."""
    shape = indices.shape[:-1]
    named = [
        _places(indices[..., k], batch_dims + k, sizes[batch_dims + k])
        for k in range(indices.shape[-1])
    ]
    return (*np.indices(shape, sparse=True)[:batch_dims], *named)


_REDUCTIONS: dict[str, Any] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


def one_hot(op: i.OneHot, indices: Array, depth: Array, values: Array) -> Array:
    size = int(depth.item())
    axis = op.axis % (indices.ndim + 1)
    places = np.expand_dims(np.where(indices < 0, indices + size, indices), axis)
    count = np.arange(size).reshape([-1 if k == axis else 1 for k in range(places.ndim)])
    return np.asarray(np.where(places == count, values[1], values[0]))


def top_k(op: i.TopK, x: Array, k: Array) -> tuple[Array, Array]:
    size = x.shape[op.axis]
    if op.largest:  # from behind and turned round, so that the first of equals stays first
        mirrored = np.argsort(np.flip(x, op.axis), op.axis, kind="stable")
        order = size - 1 - np.flip(mirrored, op.axis)
    else:
        order = np.argsort(x, op.axis, kind="stable")
    best = np.take(order, np.arange(int(k.item())), op.axis)
    return np.take_along_axis(x, best, op.axis), best.astype(np.int64, copy=False)


KERNELS: dict[type[Op], Callable[..., Any]] = {
    i.Gather: gather,
    i.GatherGrad: gather_grad,
    i.GatherElements: gather_elements,
    i.ScatterElements: scatter_elements,
    nd.GatherND: gather_nd,
    nd.ScatterND: scatter_nd,
    i.OneHot: one_hot,
    i.TopK: top_k,
}
