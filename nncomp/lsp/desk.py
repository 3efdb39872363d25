"""The open texts and their analyses: made in a thread, soon after a change, the newest only.

A text is looked at twice: at the models themselves, which is quick, then as a whole, with training
and what else there is. What blocks of the standard library gave in one text serves for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from nncomp.lower.remembering import Memory
from nncomp.lsp.analysis import Analysis, analyse
from nncomp.lsp.complete import complete
from nncomp.lsp.facts import Outdated
from nncomp.lsp.texts import Texts
from nncomp.source import SourceFile

DELAY = 0.05  # seconds without a further change, after which a text is looked at


@dataclass(frozen=True)
class _Looks:
    """Of one version of a text; None where it is the newest no more."""

    version: int
    first: asyncio.Future[Analysis | None]
    whole: asyncio.Future[Analysis | None]


class Desk:
    """texts: those of all open files, by path
    ready: is given an analysis that nobody asked for, by the name of its text
    """

    def __init__(
        self,
        texts: Callable[[], Mapping[str, str]],
        ready: Callable[[str, Analysis], Awaitable[None]],
    ) -> None:
        self._texts, self._ready = texts, ready
        self._thread = ThreadPoolExecutor(1, "analysis")
        self._memory = Memory()
        self._versions: dict[str, int] = {}
        self._looks: dict[str, _Looks] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._good: dict[str, Analysis] = {}
        self._late: set[str] = set()  # texts with errors that the first look does not find

    def warm_up(self) -> None:
        """Loads what the first text would wait for: the grammar, the standard library."""
        self._thread.submit(_warm_up, self._memory)

    def changed(self, name: str) -> None:
        """A text was opened, or is another now. Files that import it may have other errors."""
        for other in {name, *self._versions}:
            self._versions[other] = self._versions.get(other, 0) + 1
            waiting = self._waiting.pop(other, None)
            if waiting is not None:
                waiting.cancel()
            self._waiting[other] = asyncio.create_task(self._later(other))

    def closed(self, name: str) -> None:
        """Forgets a text."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            waiting.cancel()
        self._versions.pop(name, None)
        self._looks.pop(name, None)
        self._good.pop(name, None)
        self._late.discard(name)

    def version(self, name: str) -> int | None:
        """A number for the present text of a file, None if it is not open."""
        return self._versions.get(name)

    def good(self, name: str) -> Analysis | None:
        """The newest of a version that could be parsed."""
        return self._good.get(name)

    async def analysis(self, name: str, *, whole: bool = False) -> Analysis | None:
        """Of the present text, the best that there is; None if it is not open.

        whole: waits for more than the first look
        """
        while True:
            version = self.version(name)
            if version is None:
                return None
            looks = self._started(name, version)
            chosen = looks.whole if whole or looks.whole.done() else looks.first
            found = await asyncio.shield(chosen)
            if found is not None:
                return found

    def _started(self, name: str, version: int) -> _Looks:
        known = self._looks.get(name)
        if known is not None and known.version == version:
            return known
        texts = dict(self._texts())
        source = SourceFile(name, texts.get(name, ""))
        first = asyncio.ensure_future(self._look(name, source, Texts(texts), version, False))
        whole = asyncio.ensure_future(self._rest(name, first, version))
        self._looks[name] = _Looks(version, first, whole)
        return self._looks[name]

    async def _look(
        self, name: str, source: SourceFile, texts: Texts, version: int, whole: bool
    ) -> Analysis | None:
        def outdated() -> bool:
            return self.version(name) != version

        loop = asyncio.get_running_loop()
        work = partial(_analyse, source, texts, outdated, whole, self._memory)
        found = await loop.run_in_executor(self._thread, work)
        if found is not None and found.tree is not None:
            self._good[name] = found
        return found

    async def _rest(
        self, name: str, first: asyncio.Future[Analysis | None], version: int
    ) -> Analysis | None:
        found = await asyncio.shield(first)
        whole = found
        if found is not None and not found.whole:
            whole = await self._look(name, found.source, found.texts, version, True)
        if found is not None and whole is not None and self.version(name) == version:
            self._late.discard(name)
            if {d.code for d in whole.diagnostics} - {d.code for d in found.diagnostics}:
                self._late.add(name)
        return whole

    async def _later(self, name: str) -> None:
        await asyncio.sleep(DELAY)
        first = await self.analysis(name)
        shown = first is not None and (first.has_errors or name not in self._late)
        if first is not None and shown:
            await self._ready(name, first)
        found = await self.analysis(name, whole=True)
        if first is None or found is None:
            return
        if not shown or found.diagnostics != first.diagnostics:
            await self._ready(name, found)


_FIRST = """from std import BatchNorm, Conv, Linear

model M {
  input x: f32[N, 3, 8, 8]
  output y = x |> Conv(8, 3) |> BatchNorm() |> relu |> global_avg_pool |> flatten |> Linear(2)
}
"""


def _warm_up(memory: Memory) -> None:
    source = SourceFile("", _FIRST)
    complete(analyse(source, Texts(), memory=memory), _FIRST, len(_FIRST))


def _analyse(
    source: SourceFile,
    texts: Texts,
    outdated: Callable[[], bool],
    whole: bool,
    memory: Memory,
) -> Analysis | None:
    """None where the text has changed meanwhile."""
    try:
        return None if outdated() else analyse(source, texts, outdated, whole=whole, memory=memory)
    except Outdated:
        return None
