"""Ctrl-C, or another signal to end (SIGTERM, SIGHUP), that waits for the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Interrupt:
    """asked: the signal that wants the run to stop; 0 for none."""

    def __init__(self) -> None:
        self.asked = 0
        self._before = {
            number: found
            for number in _SIGNALS
            if (found := signal.getsignal(number)) not in (signal.SIG_IGN, None)
        }

    def install(self) -> None:
        for number in self._before:
            signal.signal(number, self._handle)

    def remove(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:  # twice: at once
            self.remove()
            signal.raise_signal(number)
        self.asked = number


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Within, the first signal is only noted; the second acts. Afterwards a noted one other than
    Ctrl-C acts as it would have: it ends the process, if nobody handles it. Where signals cannot be
    handled (not in the main thread), they act as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield Interrupt()
        return
    interrupt = Interrupt()
    interrupt.install()
    try:
        yield interrupt
    finally:
        interrupt.remove()
        if interrupt.asked not in (0, signal.SIGINT):
            signal.raise_signal(interrupt.asked)
