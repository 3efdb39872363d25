"""Weights by name, one pair after the other: which are the same, how much the others differ."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from nncomp.inspect.diff.result import Values
from nncomp.types import Array, TensorType

_CHUNK = 1 << 20  # elements that are compared at once


@dataclass(frozen=True)
class Tolerance:
    """What counts as the same number, as in NumPy: |a - b| <= atol + rtol * |b|."""

    atol: float = 0.0
    rtol: float = 0.0


@dataclass
class Weights:
    """The weights of two models.

    a, b: the types of those that the graphs read, by name
    values: of those of one name and shape whose numbers differ; empty where they are not compared
    same: names of those that agree, type and numbers
    moved: names in `b` of those that stand there under another name, number for number
    """

    a: Mapping[str, TensorType]
    b: Mapping[str, TensorType]
    values: dict[str, Values] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)

    def keys(self) -> tuple[dict[str, Hashable], dict[str, Hashable]]:
        """What a weight is in both models, by name: the same name and shape, or the same numbers;
        and for others their shape alone."""
        left: dict[str, Hashable] = {}
        right: dict[str, Hashable] = {}
        gone = set(self.moved.values())
        for name, type_ in self.a.items():
            other_type = self.b.get(name)
            stays = other_type is not None and other_type.shape == type_.shape
            if stays and name not in self.moved and name not in gone:
                left[name] = right[name] = ("weight", name)
        for name, other in self.moved.items():
            left[name] = right[other] = ("weight", name, other)
        for keys, types in ((left, self.a), (right, self.b)):
            for name, type_ in types.items():
                keys.setdefault(name, ("a weight", type_.shape))
        return left, right


def compare_weights(
    weights: Weights,
    a: Mapping[str, Array],
    b: Mapping[str, Array],
    tolerance: Tolerance,
) -> None:
    """Fills in what the numbers tell. At most one tensor of each model is held at a time."""
    digests_a: dict[str, bytes] = {}
    digests_b: dict[str, bytes] = {}
    for name, type_ in weights.a.items():
        left = a[name]
        other = weights.b.get(name)
        if other is not None and other.shape == type_.shape:
            right = b[name]
            values = compare_values(left, right, tolerance)
            if values is not None:
                weights.values[name] = values
            elif other == type_:
                weights.same.add(name)
                continue
            digests_b[name] = _digest(right)
        digests_a[name] = _digest(left)
    for name in weights.b:
        if name not in digests_b and name not in weights.same:
            digests_b[name] = _digest(b[name])
    places = {digest: name for name, digest in _single(digests_b)}
    for name, digest in _single(digests_a):
        place = places.get(digest, name)
        if place != name:
            weights.moved[name] = place
    for name in {*weights.moved, *weights.moved.values()}:
        weights.values.pop(name, None)


def _single(digests: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Those that only one tensor has."""
    counts = Counter(digests.values())
    return ((name, digest) for name, digest in digests.items() if counts[digest] == 1)


def _digest(array: Array) -> bytes:
    found = hashlib.blake2b(f"{array.dtype}{array.shape}".encode(), digest_size=16)
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.digest()


def compare_values(a: Array, b: Array, tolerance: Tolerance | None = None) -> Values | None:
    """How two tensors of one shape differ; None if all numbers are the same, or near enough. Two
    NaNs are the same."""
    tolerance = tolerance or Tolerance()
    absolute = relative = 0.0
    equal, near, size = 0, True, a.size
    exact = not tolerance.atol and not tolerance.rtol
    a, b = a.reshape(-1), b.reshape(-1)
    for start in range(0, size, _CHUNK):
        left, right = a[start : start + _CHUNK], b[start : start + _CHUNK]
        if left.dtype == right.dtype and left.tobytes() == right.tobytes():
            equal += len(left)
            continue
        same = (left == right) | ((left != left) & (right != right))  # NaN is not itself
        equal += int(same.sum())
        left, right = left[~same].astype(np.float64), right[~same].astype(np.float64)
        if not len(left):
            continue
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            distance = np.abs(left - right)
            size_of = np.maximum(np.abs(left), np.abs(right))
            distance[~np.isfinite(distance)] = np.inf
            share = np.where(np.isfinite(distance), distance / size_of, np.inf)
            near &= bool((distance <= tolerance.atol + tolerance.rtol * np.abs(right)).all())
        near &= not exact and bool(np.isfinite(distance).all())
        absolute, relative = max(absolute, distance.max()), max(relative, share.max())
    if near:
        return None
    return Values(float(absolute), float(relative), equal / size)
