"""The open texts and their analyses: made in a thread, soon after a change, the newest only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from nncomp.lsp.analysis import Analysis, analyse
from nncomp.lsp.facts import Outdated
from nncomp.lsp.texts import Texts
from nncomp.source import SourceFile

DELAY = 0.1  # seconds without a further change, after which a text is looked at


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
        self._versions: dict[str, int] = {}
        self._tasks: dict[str, tuple[int, asyncio.Future[Analysis]]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._good: dict[str, Analysis] = {}

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
        self._versions.pop(name, None)
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            waiting.cancel()
        self._tasks.pop(name, None)
        self._good.pop(name, None)

    def version(self, name: str) -> int | None:
        """A number for the present text of a file, None if it is not open."""
        return self._versions.get(name)

    def good(self, name: str) -> Analysis | None:
        """That of the last version that could be parsed."""
        return self._good.get(name)

    async def analysis(self, name: str) -> Analysis | None:
        """Of the present text; None if it is not open."""
        while True:
            version = self.version(name)
            if version is None:
                return None
            try:
                return await asyncio.shield(self._started(name, version))
            except Outdated:
                continue

    def _started(self, name: str, version: int) -> asyncio.Future[Analysis]:
        known = self._tasks.get(name)
        if known is not None and known[0] == version:
            return known[1]
        texts = dict(self._texts())
        source = SourceFile(name, texts.get(name, ""))
        task = asyncio.ensure_future(self._run(name, source, Texts(texts), version))
        self._tasks[name] = version, task
        return task

    async def _run(self, name: str, source: SourceFile, texts: Texts, version: int) -> Analysis:
        def outdated() -> bool:
            return self.version(name) != version

        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._thread, _analyse, source, texts, outdated)
        if found is None:
            raise Outdated
        if found.tree is not None:
            self._good[name] = found
        return found

    async def _later(self, name: str) -> None:
        await asyncio.sleep(DELAY)
        found = await self.analysis(name)
        if found is not None:
            await self._ready(name, found)


def _analyse(source: SourceFile, texts: Texts, outdated: Callable[[], bool]) -> Analysis | None:
    """None where the text has changed meanwhile: a future keeps what is raised in it, with all
    that its frames hold."""
    try:
        if outdated():
            return None
        return analyse(source, texts, outdated)
    except Outdated:
        return None
