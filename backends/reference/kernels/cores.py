"""Work on several cores: NumPy lets go of the interpreter's lock while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import TypeVar

T = TypeVar("T")


def _cores() -> int:
    """As many as BLAS takes: those that this process may use, or fewer if it is told so."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return max(1, int(os.environ[name]))
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


CORES = _cores()


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """The threads of a process: a fork does not take them along."""
    return ThreadPoolExecutor(CORES - 1, "nncomp")


def deal_out(work: Callable[[Sequence[T]], None], items: Sequence[T]) -> None:
    """Calls `work` with the items, or at the same time with one share of them for each core.

    Shares must not write to the same memory.
    """
    shares = [items[i::CORES] for i in range(min(CORES, len(items)))]
    if len(shares) < 2:
        work(items)
        return
    threads = _threads(os.getpid())
    # each in a context of its own, which holds NumPy's error state
    others = [threads.submit(copy_context().run, work, share) for share in shares[1:]]
    try:
        work(shares[0])
    finally:
        for other in others:
            other.result()
