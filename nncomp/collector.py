"""Holding Python's cyclic garbage collector back while graphs grow."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """`with`, or a decorator: no collection inside.

    A tree or graph in the making is all alive; the collector would walk it again and again and
    find nothing, which made compiling superlinear in the size of the program.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
