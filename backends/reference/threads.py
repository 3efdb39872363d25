"""Kernels on all cores: the parts of one result, each computed by a thread.

NumPy lets go of the interpreter's lock inside its functions. While a graph runs, BLAS keeps to the
thread that calls it: the threads are ours, so that what surrounds a product (columns, biases,
activations) is spread like the product itself. They are as many as BLAS would use, so
OMP_NUM_THREADS and its like are heeded.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from queue import SimpleQueue
from typing import TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

Part = TypeVar("Part")

_WORTH = 1 << 19  # numbers to read or write that repay waking a thread
_KEPT = (1 << 25) - (1 << 16)  # bytes; glibc heeds pieces below 32 MiB

_running = threading.local()  # .cores: how many threads this one may use


class _QuietBlas:
    """BLAS keeps to one thread while anybody is within."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                _most()  # before it is one
                self._limit = _blas().limit(limits=1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_quiet_blas = _QuietBlas()


@contextmanager
def all_cores() -> Iterator[None]:
    """Within, `each` uses every core, and BLAS one a thread."""
    if cores() > 1:
        yield
        return
    _keep_memory()
    with _quiet_blas:
        _running.cores = _most()
        try:
            yield
        finally:
            _running.cores = 1


def cores() -> int:
    """How many threads `each` uses here: 1 outside `all_cores`."""
    return getattr(_running, "cores", 1)


def shares(count: int, size: int) -> Sequence[slice]:
    """range(count), cut into one range for each core; into fewer if there is little to do.

    size: of all the work, in numbers read or written
    """
    parts = max(1, min(cores(), count, size // _WORTH))
    edges = [count * part // parts for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]


def each(work: Callable[[Part], object], parts: Sequence[Part]) -> None:
    """Calls `work` with every part, as many at once as there are cores.

    What one part writes no other may read or write. Raises what `work` raises.
    """
    if len(parts) <= 1 or cores() == 1:
        for part in parts:
            work(part)
        return
    todo, done = deque(parts), SimpleQueue[BaseException | None]()

    def drain() -> None:
        while True:
            try:
                part = todo.popleft()
            except IndexError:
                return
            work(part)

    helpers = min(cores(), len(parts)) - 1
    for _ in range(helpers):
        _helpers().put((drain, done))
    try:
        drain()
    finally:
        todo.clear()
        failures = [done.get() for _ in range(helpers)]
    for failure in failures:
        if failure is not None:
            raise failure


Job = tuple[Callable[[], None], "SimpleQueue[BaseException | None]"]


@cache
def _helpers() -> SimpleQueue[Job]:
    """The jobs of the threads beside the main one, which wait for them until the process ends."""
    jobs: SimpleQueue[Job] = SimpleQueue()

    def serve() -> None:
        with np.errstate(all="ignore"):
            while True:
                job, done = jobs.get()
                failure: BaseException | None = None
                try:
                    job()
                except BaseException as raised:
                    failure = raised
                done.put(failure)
                del job, done, failure  # which hold the arrays of the run

    for number in range(_most() - 1):
        threading.Thread(target=serve, name=f"nncomp {number}", daemon=True).start()
    return jobs


@cache
def _keep_memory() -> None:
    """glibc gives memory back that is freed in large pieces, and the next run pays for each page
    of it again, until it has freed one piece of this size: then it keeps up to twice as much."""
    np.empty(_KEPT, np.uint8)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@cache
def _most() -> int:
    """As many threads as BLAS uses, else as there are cores."""
    found = [library["num_threads"] for library in _blas().info()]
    return max(found) if found else os.cpu_count() or 1


if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=_helpers.cache_clear)
