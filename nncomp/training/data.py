"""Data sets: loaded, fitted to a model's inputs, split for training, validation and test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nncomp.errors import error
from nncomp.files import PathLike
from nncomp.training.checks import in_whole_numbers, require_good
from nncomp.training.lazy import HELD, LazyArray, Place, Samples, part_of
from nncomp.training.matching import adapt, match
from nncomp.training.ranges import Range
from nncomp.training.sources import Reading, read_data
from nncomp.training.sources.source import PARTS, Source, assembled
from nncomp.types import Array, TensorType

Batch = dict[str, Array]
Data = PathLike | Sequence[str] | Mapping[str, Array]  # what `--data` takes, or arrays by name
Part = Mapping[str, Samples]


@dataclass(frozen=True)
class Split:
    """Shares of all samples, for parts that the data does not name itself.

    seed: decides which
    """

    train: float = 0.7
    validation: float = 0.1
    test: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class DataSet:
    """Arrays by input name, samples along their first axis, in three parts; the last two may be
    empty.

    notes: what was done to the data, in words
    """

    name: str
    train: Part
    validation: Part
    test: Part
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        sizes = (size_of(part) for part in (self.train, self.validation, self.test))
        return "{}: {} to train, {} to validate, {} to test".format(self.name, *sizes)


def size_of(part: Part) -> int:
    """The number of samples; 0 of a part that is not there."""
    return len(next(iter(part.values()), ()))


def load_data(
    data: Data,
    inputs: Mapping[str, TensorType],
    *,
    split: Split = Split(),
    limits: Mapping[str, Range] | None = None,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> DataSet:
    """A data set for the inputs of a training step.

    data: what `read_data` takes; or arrays by name
    split: of what the data does not divide itself, each class in proportion
    limits: of integer inputs
    Raises CompileError NN0001, NN0501.
    """
    if not inputs:
        raise error("NN0501", "the training step takes no data")
    for name, type in inputs.items():
        if type.rank == 0:
            raise error("NN0501", f"the input `{name}: {type}` has no axis of samples")
    if isinstance(data, Mapping):
        source = assembled("the data", {name: _array(name, a) for name, a in data.items()})
    else:
        specs = os.fspath(data) if isinstance(data, os.PathLike) else data
        source = read_data(specs, inputs, reading)
    chosen = match(inputs, source.train, source.name)
    renamed = [f"{name}: the array `{array}`" for name, array in chosen.items() if name != array]
    notes = [*source.notes, *renamed]
    parts = {}
    for part in source.parts:
        done: list[str] = []
        parts[part] = _fitted(source, part, inputs, chosen, limits or {}, done)
        notes += done if part == "train" else []
    train, validation, test = _divided(source.name, parts, split)
    return DataSet(source.name, train, validation, test, tuple(notes))


def _array(name: object, given: Any) -> Array:
    """What Python holds as an array. Raises CompileError NN0501."""
    if not isinstance(name, str):
        raise error("NN0501", f"data is arrays by name, and {name!r} is no name")
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        row = int(np.argmax(np.ma.getmaskarray(given).reshape(len(given), -1).any(axis=1)))
        raise error("NN0501", f"`{name}[{row}]` of the data is masked", help="`array.filled(…)`")
    try:
        return np.asarray(given)
    except ValueError as failure:
        reason = f"{failure}".partition("\n")[0]
        raise error("NN0501", f"`{name}` in the data is no array: {reason}") from None


def _fitted(
    source: Source,
    part: str,
    inputs: Mapping[str, TensorType],
    chosen: Mapping[str, str],
    limits: Mapping[str, Range],
    notes: list[str],
) -> Part:
    fitted: dict[str, Samples] = {}
    for name, type in inputs.items():
        array = source.parts[part][chosen[name]]
        place = partial(source.where, part, chosen[name])
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            require_good(array, name, place, None)  # before a resize spreads them
        if isinstance(array, np.ndarray) and array.size * type.dtype.size > HELD:
            array = LazyArray(array.__getitem__, np.arange(len(array)), array[:1], place)
            notes.append(f"{name}: {len(array):,} samples to {part}, read when they are needed")
        origin = source.origin(part, chosen[name])
        fit = _Fit(name, type, limits.get(name), origin, len(array))
        if isinstance(array, LazyArray):
            fitted[name] = array.mapped(fit)
            notes += fit.noted(array[:1], place)[1]
        else:
            fitted[name], done = fit.noted(array, place)
            notes += done
    return fitted


@dataclass(frozen=True)
class _Fit:
    """What samples become for an input.

    limit: of integers; origin: where they are from; samples: how many there are
    """

    name: str
    type: TensorType
    limit: Range | None
    origin: str
    samples: int

    def __call__(self, array: Array, place: Place) -> Array:
        return self.noted(array, place)[0]

    def noted(self, array: Array, place: Place) -> tuple[Array, list[str]]:
        """And what was done to them, in words."""
        array = in_whole_numbers(array, self.type.dtype, self.name, place)
        whole, notes = adapt(array, self.type, self.name, self.origin, self.samples)
        require_good(whole, self.name, place, self.limit)
        return whole, notes


def _divided(name: str, parts: Mapping[str, Part], split: Split) -> list[Part]:
    """All three parts: those that are there, and shares of the training samples for the others."""
    shares = {part: getattr(split, part) for part in PARTS if part not in parts or part == "train"}
    shares["train"] = 1 - sum(share for part, share in shares.items() if part != "train")
    cut = _split(parts["train"], tuple(shares.values()), split.seed)
    found = {**parts, **dict(zip(shares, cut, strict=True))}
    for part, share in shares.items():
        if share > 0 and not size_of(found[part]):
            count = size_of(parts["train"])
            raise error(
                "NN0501",
                f"{name} has too few samples: of {count} none is left for {part}",
                help="`--split 80,20,0` does without a test",
            )
    return [found[part] if size_of(found[part]) else {} for part in PARTS]


def _split(arrays: Part, shares: tuple[float, ...], seed: int) -> list[Part]:
    """Parts of those shares, random, with each class of an integer label in proportion."""
    count = size_of(arrays)
    order = np.random.default_rng(seed).permutation(count)
    label = next((a for a in arrays.values() if a.ndim == 1 and a.dtype.kind in "iu"), None)
    if isinstance(label, np.ndarray):
        order = order[np.argsort(_place_in_class(label[order]), kind="stable")]
    ends = np.round(np.cumsum(shares) * count).astype(int)
    return [
        {name: part_of(array, np.sort(part)) for name, array in arrays.items()}
        for part in np.split(order, ends[:-1])
    ]


def _place_in_class(label: Array) -> Array:
    """f64[N] in (0, 1): how far into its class each sample stands; sorting by it spreads them."""
    _, klass, counts = np.unique(label, return_inverse=True, return_counts=True)
    by_class = np.argsort(klass, kind="stable")
    first = np.cumsum(counts) - counts
    rank = np.empty(len(label), int)
    rank[by_class] = np.arange(len(label)) - np.repeat(first, counts)
    return np.asarray((rank + 0.5) / counts[klass])


def batches(part: Part, size: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
    """Batches of `size` samples (the last one may be smaller), shuffled if there is an `rng`."""
    count = size_of(part)
    order = np.arange(count) if rng is None else rng.permutation(count)
    for start in range(0, count, size):
        chosen = order[start : start + size]
        yield {name: array[chosen] for name, array in part.items()}
