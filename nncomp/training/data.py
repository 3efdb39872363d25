"""Data sets: loaded, fitted to a model's inputs, split for training, validation and test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from nncomp.errors import error
from nncomp.training.matching import adapt, match
from nncomp.training.sources import Arrays, read_data
from nncomp.types import Array, TensorType

Batch = dict[str, Array]

VALIDATION, TEST = 0.1, 0.2  # shares of all samples


@dataclass(frozen=True)
class DataSet:
    """Arrays by input name, samples along their first axis, in three parts.

    notes: what was done to the data, in words
    """

    name: str
    train: Batch
    validation: Batch
    test: Batch
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        sizes = (size_of(part) for part in (self.train, self.validation, self.test))
        return "{}: {} to train, {} to validate, {} to test".format(self.name, *sizes)


def size_of(part: Mapping[str, Array]) -> int:
    """The number of samples."""
    return len(next(iter(part.values())))


def load_data(spec: str, inputs: Mapping[str, TensorType], seed: int = 0) -> DataSet:
    """`sklearn:NAME` or an npz file, for the inputs of a training step.

    A tenth of the samples is kept for validation and a fifth for the test (where the data does not
    say itself which are), each class in proportion. `seed` decides which.
    Raises CompileError NN0001, NN0501.
    """
    if not inputs:
        raise error("NN0501", "the training step takes no data")
    for name, type in inputs.items():
        if type.rank == 0:
            raise error("NN0501", f"the input `{name}: {type}` has no axis of samples")
    source = read_data(spec)
    chosen = match(inputs, source.train, source.name)
    notes = [f"{name}: the array `{array}`" for name, array in chosen.items() if name != array]
    notes = [*source.notes, *notes]

    def adapted(arrays: Arrays, notes: list[str]) -> Batch:
        part = {}
        for name, type in inputs.items():
            part[name], done = adapt(arrays[chosen[name]], type, name)
            notes += done
        return part

    everything = adapted(source.train, notes)
    if source.test:
        test = adapted(source.test, [])
        train, validation = _split(everything, (1 - VALIDATION, VALIDATION), seed)
    else:
        shares = (1 - VALIDATION - TEST, VALIDATION, TEST)
        train, validation, test = _split(everything, shares, seed)
    if not all(size_of(part) for part in (train, validation, test)):
        raise error("NN0501", f"{source.name} has too few samples: {size_of(everything)}")
    return DataSet(source.name, train, validation, test, tuple(notes))


def _split(arrays: Batch, shares: tuple[float, ...], seed: int) -> list[Batch]:
    """Parts of those shares, random, with each class of an integer label in proportion."""
    count = size_of(arrays)
    order = np.random.default_rng(seed).permutation(count)
    label = next((a for a in arrays.values() if a.ndim == 1 and a.dtype.kind in "iu"), None)
    if label is not None:
        order = order[np.argsort(_place_in_class(label[order]), kind="stable")]
    ends = np.round(np.cumsum(shares) * count).astype(int)
    return [
        {name: array[np.sort(part)] for name, array in arrays.items()}
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


def batches(
    part: Mapping[str, Array], size: int, rng: np.random.Generator | None = None
) -> Iterator[Batch]:
    """Batches of `size` samples (the last one may be smaller), shuffled if there is an `rng`."""
    count = size_of(part)
    order = np.arange(count) if rng is None else rng.permutation(count)
    for start in range(0, count, size):
        chosen = order[start : start + size]
        yield {name: array[chosen] for name, array in part.items()}
