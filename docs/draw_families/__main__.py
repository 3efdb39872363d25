"""Draws the pictures of docs/families: `python docs/draw_families [PICTURE …]`.

The pictures of docs/families/NAME.md are the functions of NAME.py here; what they train, the page
trains by the command. All of them take about ten minutes on two cores. Needs
`pip install 'nncomp[train]'`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import matplotlib.pyplot as plt
from drawing import IMAGES, MOST, OUT, PICTURES, ROOT
from PIL import Image


def draw(names: list[str]) -> None:
    """Writes the pictures; all of them if none is named."""
    for page in sorted((ROOT / "docs" / "families").glob("*.md")):
        import_module(page.stem)
    IMAGES.mkdir(parents=True, exist_ok=True)
    OUT.mkdir(exist_ok=True)
    for name in names or PICTURES:
        figure = PICTURES[name]()
        path = IMAGES / f"{name}.png"
        if isinstance(figure, Path):
            image = Image.open(figure).convert("RGB")
            image.thumbnail((900, 900))
            image.save(path)
        else:
            figure.savefig(path, dpi=100, bbox_inches="tight", pad_inches=0.04)
            plt.close(figure)
        Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} B")
        assert path.stat().st_size <= MOST


if __name__ == "__main__":
    draw(sys.argv[1:])
