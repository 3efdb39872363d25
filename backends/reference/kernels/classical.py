"""Classical machine learning (`ai.onnx.ml`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops import classical as c
from nncomp.types import Array


def binarize(op: c.Binarizer, x: Array) -> Array:
    return (x > op.threshold).astype(x.dtype)


def encode(op: c.LabelEncoder, x: Array) -> Array:
    table = dict(zip(map(_key, op.keys.tolist()), op.values.tolist(), strict=True))
    default = op.default.item()
    result = np.empty(x.size, op.values.dtype)
    result[:] = [table.get(_key(element), default) for element in x.reshape(-1).tolist()]
    return result.reshape(x.shape)


def _key(element: Any) -> Any:
    """NaN is no key of a dict that could be found again."""
    return None if isinstance(element, float) and math.isnan(element) else element


def trees(op: c.TreeEnsemble, x: Array) -> Array:
    combine, first = {
        0: (np.add, 0.0),
        1: (np.add, 0.0),
        2: (np.minimum, np.finfo(x.dtype).max),
        3: (np.maximum, np.finfo(x.dtype).min),
    }[op.aggregate_function]
    weights = op.leaf_weights.array.reshape(-1).astype(x.dtype)
    targets = np.array(op.leaf_targetids, np.int64)
    rows, sets = np.arange(len(x)), _sets(op)
    result = np.full((len(x), op.targets), first, x.dtype)
    for root in op.tree_roots:
        leaves = _leaves(op, root, x, sets)
        at = (rows, targets[leaves])
        result[at] = combine(result[at], weights[leaves])
    return result / x.dtype.type(len(op.tree_roots)) if op.aggregate_function == 0 else result


def _sets(op: c.TreeEnsemble) -> dict[int, Array]:
    """The members of each node that compares with a set."""
    if op.membership_values is None:
        return {}
    values = op.membership_values.array.reshape(-1)
    parts = np.split(values, np.flatnonzero(np.isnan(values)) + 1)
    modes = op.nodes_modes.array.reshape(-1).tolist()
    nodes = [node for node, mode in enumerate(modes) if c.MODES[mode] == "in"]
    return dict(zip(nodes, parts, strict=False))


def _leaves(op: c.TreeEnsemble, root: int, x: Array, sets: dict[int, Array]) -> Array:
    """The leaf that each row falls into. ValueError if a tree has no end."""
    place = np.full(len(x), root, np.int64)
    inner = np.ones(len(x), np.bool_)
    modes, splits = op.nodes_modes.array.reshape(-1), op.nodes_splits.array.reshape(-1)
    for _ in range(len(modes) + 1):
        for node in np.unique(place[inner]).tolist():
            here = np.flatnonzero(inner & (place == node))
            feature = x[here, op.nodes_featureids[node]]
            holds = _COMPARISONS[c.MODES[modes[node]]](feature, sets.get(node, splits[node]))
            if op.nodes_missing_value_tracks_true and op.nodes_missing_value_tracks_true[node]:
                holds = holds | np.isnan(feature)
            place[here] = np.where(holds, op.nodes_truenodeids[node], op.nodes_falsenodeids[node])
            ends = np.where(holds, op.nodes_trueleafs[node], op.nodes_falseleafs[node])
            inner[here] = ends == 0
        if not inner.any():
            return place
    raise ValueError("a tree leads back to a node of its own")


_COMPARISONS: dict[str, Callable[..., Array]] = {
    "<=": np.less_equal,
    "<": np.less,
    ">=": np.greater_equal,
    ">": np.greater,
    "==": np.equal,
    "!=": np.not_equal,
    "in": np.isin,
}

KERNELS: dict[type[Op], Callable[..., Any]] = {
    c.Binarizer: binarize,
    c.LabelEncoder: encode,
    c.TreeEnsemble: trees,
}
