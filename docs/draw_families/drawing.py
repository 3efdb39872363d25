"""What the pictures have in common: how they are named, and how models train for them."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from nncomp.cli import main

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images" / "families"
OUT = Path(tempfile.gettempdir()) / "nncomp-families"
MOST = 60_000  # bytes of a picture
GRADIENTS = "--gradients --format json"
Picture = Callable[[], plt.Figure | Path]
PICTURES: dict[str, Picture] = {}


def picture(draw: Picture) -> Picture:
    """Makes a function known by its name, which is that of the picture."""
    PICTURES[draw.__name__] = draw
    return draw


def command(text: str) -> str:
    """Runs `nncomp …` and gives what it prints; `-o` is a folder below OUT, which is kept."""
    words = shlex.split(text)
    if "-o" in words:
        at = words.index("-o") + 1
        words[at] = str(OUT / words[at])
    with redirect_stdout(StringIO()) as printed:
        assert main(words) == 0, text
    print("\n".join(line for line in printed.getvalue().splitlines() if line.startswith("test ")))
    return printed.getvalue()


def tiles(rows: list[np.ndarray], names: list[str], cmap: str = "gray", side: float = 0.62):
    """Rows of images with a name at the left of each."""
    count = max(len(row) for row in rows)
    size = (count * side + 1.3, len(rows) * side + 0.1)
    figure, axes = plt.subplots(len(rows), count, figsize=size, squeeze=False)
    for line, row, name in zip(axes, rows, names, strict=True):
        for axis in line:
            axis.axis("off")
        for axis, image in zip(line, row, strict=False):
            axis.imshow(image, cmap=cmap)
        line[0].text(-0.15, 0.5, name, transform=line[0].transAxes, ha="right", va="center", size=8)
    figure.subplots_adjust(0.16 if count > 5 else 0.25, 0.02, 0.99, 0.98, 0.06, 0.06)
    return figure


def chart(x: str, y: str, log: bool = False, size: tuple[float, float] = (4.6, 2.7)):
    """Axes with names and a grid, and the figure that holds them: (figure, axis)."""
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(alpha=0.3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log:
        axis.set_yscale("log")
    return figure, axis
