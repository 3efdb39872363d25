"""Pages in a real browser: opened from their files, every request and failure noted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NPM = shutil.which("npm")

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium (Debian's package) is needed")


@contextmanager
def opened(
    path: Path, *, width: int = 1280, height: int = 800, dark: bool = False
) -> Iterator[Any]:
    """The page, ready. It must ask for nothing but its own worker, and raise nothing."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            bypass_csp=False,
        )
        requests: list[str] = []
        failures: list[str] = []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("pageerror", lambda failure: failures.append(str(failure)))
        tab.on("console", lambda message: failures.append(message.text))
        tab.on("dialog", lambda dialog: failures.append(f"dialog {dialog.message}"))
        tab.goto(path.as_uri())
        ready(tab)
        yield tab
        browser.close()
    assert not failures
    asked = [url for url in requests if url != path.as_uri()]
    assert all(url.startswith("blob:null/") for url in asked), asked


def ready(tab: Any) -> None:
    """Waits until the page is laid out and painted."""
    tab.evaluate("async () => { await nncomp.ready; }")
    settle(tab)


def settle(tab: Any) -> None:
    """Waits until nothing is to be laid out or drawn any more."""
    painted = "nncomp.views.every((view) => view.hasPainted && !view.pending)"
    until(tab, f"!nncomp.layouter.waiting.size && {painted}")


def double_click(tab: Any, box: Any, wanted: str) -> None:
    """Until what is wanted is there: on a busy machine the clicks may be too far apart."""
    for _ in range(10):
        box.dblclick()
        settle(tab)
        if tab.locator(wanted).count():
            return
    raise AssertionError(f"never came: {wanted}")


def until(tab: Any, condition: str) -> None:
    """Waits for a condition. (`wait_for_function` would need `eval`, which the page forbids.)"""
    for _ in range(400):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(25)
    raise AssertionError(f"never came: {condition}")


def axe() -> str:
    """The text of axe-core, fetched once."""
    script = HERE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        if NPM is None:
            pytest.skip("npm is needed")
        subprocess.run([NPM, "ci", "--prefix", HERE, "--silent"], check=True, timeout=300)
    return script.read_text("utf-8")


def faults(tab: Any) -> list[str]:
    """What axe-core finds serious or critical on the page as it is."""
    if tab.evaluate("!window.axe"):
        tab.evaluate(axe())
    found: list[str] = tab.evaluate(
        """async () => (await axe.run(document)).violations
            .filter((v) => ["serious", "critical"].includes(v.impact))
            .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200))
                .join(" | ")}`)"""
    )
    return found
