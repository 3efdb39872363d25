"""Draws the pictures of the README and of docs/view.md: `python docs/pictures.py`.

Needs chromium and playwright (`pip install 'nncomp[test]'`) for those of the page.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from nncomp.cli import main

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1440, "height": 860}
CLASSIFIER, RESNET = "examples/classifier.nn", "models/resnet.nn"
# Page, colours, and what is done before the picture is taken.
PAGES = {
    "view.png": (RESNET, "light", "fused"),
    "view-train.png": (RESNET, "dark", "train"),
}
FUSED = """async () => {
    const [view] = nncomp.views, { model } = view;
    const { alive } = model.snapshot(view.step);
    const isFused = (node) => alive[node] && model.text("op", node) === "FusedConv";
    const node = Array.from({ length: model.count }, (_, i) => i).find(isFused);
    await nncomp.goToNode(view, node);
}"""
TRAIN = """async () => {
    const overlay = document.getElementById("overlay");
    overlay.value = "activations";
    overlay.dispatchEvent(new Event("change"));
}"""


def draw() -> None:
    """Writes all pictures."""
    main(["view", CLASSIFIER, "-o", str(IMAGES / "classifier.svg")])
    main(["view", RESNET, "-o", str(IMAGES / "resnet.svg")])
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (model, colours, what) in PAGES.items():
            path = Path(folder) / "page.html"
            options = ["--train", "--batch-size", "8"] if what == "train" else []
            main(["view", model, *options, "-o", str(path)])
            tab = browser.new_page(viewport=SIZE, color_scheme=colours)
            tab.goto(path.as_uri())
            tab.evaluate("async () => { await nncomp.ready; }")
            tab.evaluate(TRAIN if what == "train" else FUSED)
            tab.wait_for_timeout(500)
            tab.screenshot(path=IMAGES / name)
            tab.close()
        browser.close()


if __name__ == "__main__":
    draw()
