"""Which looks at a text are reported, and when, without a server around them."""

from __future__ import annotations

import asyncio

import pytest

from nncomp.lsp import desk as desks
from nncomp.lsp.analysis import Analysis
from nncomp.lsp.desk import Desk

MISSPELT = """from std import Linear
from std.optim import SGD

model M {
  input x: f32[N, 3]
  output y = x |> Linear(4)

  train {
    input target: f32[N, 4]
    minimize meen((y - target) ** 2) by SGD(lr=0.1)
  }
}
"""


def test_errors_of_training_stay_where_the_whole_was_looked_at_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a fast machine the second look is over before the first is due to be reported."""
    texts = {"net.nn": MISSPELT}
    reports: asyncio.Queue[list[str]] = asyncio.Queue()

    async def ready(name: str, found: Analysis) -> None:
        reports.put_nowait([d.code for d in found.diagnostics])

    async def conversation() -> None:
        desk = Desk(lambda: texts, ready)
        monkeypatch.setattr(desks, "DELAY", 60.0)
        desk.changed("net.nn")
        assert await desk.analysis("net.nn", whole=True)  # and nothing is reported yet
        monkeypatch.setattr(desks, "DELAY", 0.0)
        desk.changed("net.nn")
        assert await reports.get() == ["NN0103"]
        texts["net.nn"] += "\n"
        desk.changed("net.nn")
        assert await reports.get() == ["NN0103"]
        desk.closed("net.nn")

    asyncio.run(asyncio.wait_for(conversation(), 60))


def test_errors_of_training_are_found_late_only_once() -> None:
    """A text without errors is not reported as such when its training had some before."""
    texts = {"net.nn": MISSPELT}
    reports: asyncio.Queue[list[str]] = asyncio.Queue()

    async def ready(name: str, found: Analysis) -> None:
        reports.put_nowait([d.code for d in found.diagnostics])

    async def conversation() -> None:
        desk = Desk(lambda: texts, ready)
        desk.changed("net.nn")
        while await reports.get() != ["NN0103"]:
            pass
        texts["net.nn"] += "\n"
        desk.changed("net.nn")
        assert await reports.get() == ["NN0103"]
        texts["net.nn"] = MISSPELT.replace("meen", "mean")
        desk.changed("net.nn")
        assert await reports.get() == []
        desk.closed("net.nn")

    asyncio.run(asyncio.wait_for(conversation(), 60))
