"""What feeds a training run: batches, epoch after epoch, from arrays or from an iterable."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from nncomp.errors import error, require_count
from nncomp.training.augment import Augmentation
from nncomp.training.checks import in_whole_numbers, require_good
from nncomp.training.data import Batch, DataSet, Part, batches, size_of
from nncomp.training.lazy import LazyArray
from nncomp.training.matching import adapt
from nncomp.training.ranges import Range
from nncomp.types import TensorType

AHEAD = 2  # batches made while a step runs


class Feed(Protocol):
    """The training samples.

    name: of the data
    steps: how many batches an epoch has; None if nobody knows before it ends
    """

    name: str
    steps: int | None

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (from 1) without the `first` ones: the same each time that they
        are asked for, if the source is."""


class ArrayFeed:
    """Batches of a data set's training part, the last of an epoch may be smaller.

    seed: of the order and the augmentation
    features: the inputs that noise is for; without, floating ones with more than one axis
    """

    def __init__(
        self,
        data: DataSet,
        size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        features: Collection[str] | None = None,
    ) -> None:
        augmentation.require_images(data.train)
        self.name = data.name
        self.steps: int | None = math.ceil(size_of(data.train) / size)
        self._part, self._size = data.train, size
        self._seed, self._shuffle = seed % 2**64, shuffle
        self._augmentation = augmentation
        floating = [n for n, a in self._part.items() if a.dtype.kind == "f" and a.ndim > 1]
        self._features = floating if features is None else [n for n in floating if n in features]

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        made = self._batches(number, first)
        return ahead(made, AHEAD)

    def _batches(self, number: int, first: int) -> Iterator[Batch]:
        count = size_of(self._part)
        order = np.arange(count)
        if self._shuffle:
            order = np.random.default_rng([self._seed, number]).permutation(count)
        for index in range(first, math.ceil(count / self._size)):
            chosen = order[index * self._size : (index + 1) * self._size]
            batch = {name: array[chosen] for name, array in self._part.items()}
            if self._augmentation:
                rng = np.random.default_rng([self._seed, number, index + 1])
                batch = self._augmentation.apply(batch, rng, self._features)
            yield batch


Batches = Iterable[Any]


class StreamFeed:
    """Batches of a Python iterable: mappings by input name, or tuples in the inputs' order.

    source: an iterable that can be gone through anew for each epoch, or a function that gives one
        for the number of the epoch, from 1; an iterator has one epoch
    steps: so many batches make an epoch; without, all
    limits: of integer inputs
    """

    def __init__(
        self,
        source: Batches | Callable[[int], Batches],
        inputs: Mapping[str, TensorType],
        *,
        steps: int | None = None,
        limits: Mapping[str, Range] | None = None,
        name: str = "the iterable",
    ) -> None:
        self.name, self.steps = name, None if steps is None else require_count("steps", steps)
        self._source, self._inputs, self._limits = source, inputs, limits or {}
        self._once = iter(source) if isinstance(source, Iterator) else None

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        return ahead(self._batches(number, first), AHEAD)

    def _batches(self, number: int, first: int) -> Iterator[Batch]:
        if self._once is not None:
            source: Batches = self._once
        else:
            source = self._source(number) if callable(self._source) else self._source
        if not isinstance(source, Iterable):
            kind = type(source).__name__
            raise error("NN0501", f"the batches of epoch {number} are no iterable, but `{kind}`")
        index = 0
        for given in source:
            if index >= first:
                yield self._fitted(given, f"batch {index + 1} of epoch {number}")
            index += 1
            if index == self.steps:
                return
        if not index:
            used = self._once is not None and number > 1
            raise error(
                "NN0501",
                f"{self.name} gives no batch in epoch {number}",
                help="an iterator has one epoch: give `steps`, a list, or a function that makes "
                "an iterator for each epoch"
                if used
                else None,
            )

    def _fitted(self, given: Any, where: str) -> Batch:
        if not isinstance(given, Mapping):
            given = given if isinstance(given, tuple | list) else (given,)
            if len(given) != len(self._inputs):
                raise error(
                    "NN0501",
                    f"{where} has {len(given)} arrays for the inputs {_listed(self._inputs)}",
                    help="a batch is a mapping by input name, or a tuple; samples are one mapping, "
                    f"{{{', '.join(f'{name!r}: …' for name in self._inputs)}}}",
                )
            given = dict(zip(self._inputs, given, strict=True))
        if set(given) != set(self._inputs):
            raise error(
                "NN0501",
                f"{where} holds {_listed(given)}, the training step takes {_listed(self._inputs)}",
            )
        batch: Batch = {}
        for name, type in self._inputs.items():
            try:
                array = np.asarray(given[name])
            except ValueError as failure:
                reason = f"{failure}".partition("\n")[0]
                raise error(
                    "NN0501", f"{where} has no array for the input `{name}`: {reason}"
                ) from None
            if not array.ndim or not len(array):
                raise error("NN0501", f"{where} has no samples for the input `{name}`")

            def place(row: int) -> str:
                return f"sample {row} of {where}"

            array = in_whole_numbers(array, type.dtype, name, place)
            batch[name], _ = adapt(array, type, name, where)
            require_good(batch[name], name, place, self._limits.get(name))
        if len({len(array) for array in batch.values()}) > 1:
            sizes = ", ".join(f"{name} {len(array)}" for name, array in batch.items())
            raise error("NN0501", f"{where} has arrays of different lengths: {sizes}")
        return batch


def _listed(names: Iterable[object]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def in_order(part: Part, size: int) -> Iterator[Batch]:
    """Batches of `size` samples as they stand, made ahead where they must be read."""
    made = batches(part, size)
    return ahead(made, AHEAD) if _is_lazy(part) else made


def _is_lazy(part: Part) -> bool:
    return any(isinstance(array, LazyArray) for array in part.values())


_Outcome = tuple[Batch | None, BaseException | None]


def ahead(made: Iterator[Batch], count: int) -> Iterator[Batch]:
    """The same batches, up to `count` of them made beforehand by a thread of its own. What goes
    wrong there is raised here, after the batches before it."""
    ready: queue.Queue[_Outcome] = queue.Queue(count)
    stopped = threading.Event()

    def put(outcome: _Outcome) -> bool:
        while not stopped.is_set():
            try:
                ready.put(outcome, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for batch in made:
                if not put((batch, None)):
                    return
            put((None, None))
        except BaseException as failure:
            put((None, failure))

    def batches() -> Iterator[Batch]:
        thread = threading.Thread(target=work, name="nncomp-batches", daemon=True)
        thread.start()
        try:
            while True:
                batch, failure = ready.get()
                if failure is not None:
                    raise failure
                if batch is None:
                    return
                yield batch
        finally:
            stopped.set()
            thread.join()

    return batches()
