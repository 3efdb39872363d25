"""SVG as PNG, by resvg, which is installed with `nncomp[png]`."""

from __future__ import annotations

import re

from nncomp.errors import error

SCALE = 2.0  # pixels for one of the SVG
LARGEST = 12_000  # pixels on a side


def png(svg: str) -> bytes:
    """The picture on its light page, twice its size in pixels; less where that would be too
    large. Raises CompileError NN0001 if resvg is not installed."""
    try:
        import resvg_py
    except ImportError:
        raise error(
            "NN0001",
            "a PNG is drawn by resvg, which is not installed",
            help="pip install 'nncomp[png]', or write an SVG",
        ) from None
    found = re.search(r'width="(\d+)" height="(\d+)"', svg)
    assert found is not None
    zoom = min(SCALE, LARGEST / max(int(found[1]), int(found[2])))
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))
