"""The step graph in JavaScript: the page of examples/browser in a browser, the loop in Node."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "browser"
CHROMIUM, NPM, NODE = (shutil.which(program) for program in ("chromium", "npm", "node"))

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(NPM is None or NODE is None, reason="node and npm are needed"),
]
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium (Debian's package) is needed")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing on stderr for each file."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("browser")
    assert NPM is not None
    if not (EXAMPLE / "node_modules" / "onnxruntime-web").exists():
        subprocess.run([NPM, "ci", "--prefix", EXAMPLE, "--silent"], check=True, timeout=300)
    script = [sys.executable, EXAMPLE / "prepare.py", "-o", out]
    subprocess.run(script, check=True, timeout=300, stdout=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1000, "height": 640})
        failures: list[str] = []
        tab.on("pageerror", lambda failure: failures.append(str(failure)))
        tab.on("requestfailed", lambda request: failures.append(request.url))
        tab.goto(address)
        tab.wait_for_selector("#train:enabled", timeout=60_000)
        yield tab
        browser.close()
        assert not failures


def _train(page: Any, epochs: int) -> list[dict[str, float]]:
    page.fill("#epochs", str(epochs))
    page.click("#train")
    done = f"window.history_of_training.length == {epochs}"
    page.wait_for_function(done, timeout=120_000)
    history: list[dict[str, float]] = page.evaluate("window.history_of_training")
    return history


@in_browser
def test_the_page_learns_digits(page: Any) -> None:
    before = page.evaluate("document.getElementById('curve').toDataURL()")
    first = _train(page, 6)
    losses = [epoch["loss"] for epoch in first]
    assert losses[-1] < 0.3 * losses[0]
    assert first[-1]["accuracy"] >= 0.96
    assert page.inner_text("#accuracy") == f"{100 * first[-1]['accuracy']:.1f} %"
    assert page.evaluate("document.getElementById('curve').toDataURL()") != before
    page.click("#reset")
    assert page.inner_text("#accuracy") == "–"
    again = _train(page, 2)
    assert [e["loss"] for e in again] == losses[:2], "the same steps give the same numbers"


@in_browser
def test_the_page_guesses_what_is_drawn_and_learns_it(page: Any) -> None:
    _train(page, 6)
    board = page.locator("#board").bounding_box()
    middle = board["x"] + board["width"] / 2
    page.mouse.move(middle, board["y"] + 0.2 * board["height"])
    page.mouse.down()
    page.mouse.move(middle, board["y"] + 0.8 * board["height"], steps=20)
    page.mouse.up()
    likeliest = """() => {
        const parts = [...document.querySelectorAll('#bars button')].map(
            (bar) => Number(bar.style.getPropertyValue('--part')));
        return parts.indexOf(Math.max(...parts)); }"""
    page.wait_for_function(f"({likeliest})() == 1", timeout=20_000)
    count = int(page.inner_text("#status").split()[0])
    page.click("#bars button:nth-child(2)")
    assert f"{count + 1} digits" in page.inner_text("#status")


def test_the_loop_learns_digits_in_node(folder: Path) -> None:
    assert NODE is not None
    command = [NODE, ROOT / "examples" / "node" / "train.mjs", folder, "3"]
    result = subprocess.run(command, check=True, timeout=300, capture_output=True, text=True)
    losses = [float(line.split()[-1]) for line in result.stdout.splitlines()]
    assert len(losses) == 3
    assert losses[2] < 0.3 * losses[0]
