"""One run in one folder at a time: two would mix their logs and checkpoints."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nncomp.errors import error


@contextmanager
def sole_run(folder: Path, *, create: bool) -> Iterator[None]:
    """Within, the folder belongs to this run. The system gives it free when the process ends, also
    by kill -9. Where folders cannot be locked, nobody is kept out.

    create: makes the folder; what is wrong with one that cannot be made is said when it is written
    Raises CompileError NN0001.
    """
    place = _opened(folder, create)
    try:
        if place is not None and not _locked(place):
            raise error(
                "NN0001",
                f"another run is writing into {folder}",
                help="wait for its end, or name another folder",
            )
        yield
    finally:
        if place is not None:
            os.close(place)


def _opened(folder: Path, create: bool) -> int | None:
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return None


def _locked(place: int) -> bool:
    """Whether nobody else has it."""
    try:
        import fcntl

        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return True
    except OSError as failure:
        return failure.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True
