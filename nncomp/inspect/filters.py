"""Learned filters as one image: each a tile, black and white for its most negative and positive
weight, grey for 0."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np

from nncomp.errors import did_you_mean, error
from nncomp.ir.graph import Graph
from nncomp.types import Array

_LEAST = 24  # pixels of a tile's side
_GAP = 2
_MOST = 1024  # tiles
_WIDE = 16  # tiles in a row, for filters of several channels
_ZERO = 128


def filters_of(graph: Graph, state: dict[str, Array], path: str | None = None) -> Array:
    """The weights to be drawn, [filters, channels, height, width]: those of a parameter, or of the
    first convolution with two spatial axes; rows of a matrix are taken for square images.

    Raises CompileError NN0103 for a path that no parameter has, NN0204 for what has no filters.
    """
    learnt = [p.path for p in graph.parameters if p.kind == "param"]
    if path is None:
        path = next((p for p in learnt if state[p].ndim == 4), None) or next(
            (p for p in learnt if _is_square(state[p])), None
        )
        if path is None:
            raise error("NN0204", f"{graph.name} has no filters: no weights with height and width")
    elif path not in learnt:
        path = f"{path}.weight" if f"{path}.weight" in learnt else path
    if path not in learnt:
        raise error(
            "NN0103", f"{graph.name} has no parameter `{path}`", help=did_you_mean(path, learnt)
        )
    weight = state[path]
    if weight.ndim == 3:
        weight = weight[:, :, None]
    if _is_square(weight):
        side = math.isqrt(weight.shape[1])
        weight = weight.reshape(-1, 1, side, side)
    if weight.ndim != 4:
        shape = "×".join(map(str, weight.shape))
        raise error("NN0204", f"`{path}` is {shape}: filters have a height and a width")
    return weight


def _is_square(weight: Array) -> bool:
    return (
        weight.ndim == 2
        and weight.shape[1] > 1
        and math.isqrt(weight.shape[1]) ** 2 == (weight.shape[1])
    )


def sheet(weight: Array) -> Array:
    """An image of filters [filters, channels, height, width]: u8[height, width, 3].

    Filters of three channels are in colour; else a row holds the channels of one filter.
    """
    _, channels, height, width = weight.shape
    colour = channels == 3
    tiles = weight.transpose(0, 2, 3, 1) if colour else weight.reshape(-1, height, width, 1)
    tiles = tiles[:_MOST].astype(np.float64)
    scale = np.abs(tiles).max(axis=(1, 2, 3), keepdims=True)
    scale[~(scale > 0)] = 1
    pixels = np.clip(_ZERO + (255 - _ZERO) * np.nan_to_num(tiles / scale), 0, 255)
    zoom = max(1, math.ceil(_LEAST / max(height, width)))
    big = pixels.astype(np.uint8).repeat(zoom, axis=1).repeat(zoom, axis=2)
    big = np.broadcast_to(big, (*big.shape[:3], 3))
    columns = math.ceil(math.sqrt(len(big)))
    if not colour and 1 < channels <= _WIDE:
        columns = channels
    rows = math.ceil(len(big) / columns)
    high, wide = big.shape[1] + _GAP, big.shape[2] + _GAP
    page = np.full((rows * high + _GAP, columns * wide + _GAP, 3), 255, np.uint8)
    for number, tile in enumerate(big):
        top, left = _GAP + number // columns * high, _GAP + number % columns * wide
        page[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return page


def png(pixels: Array) -> bytes:
    """A picture u8[height, width, 3] as a PNG file (ISO/IEC 15948)."""
    height, width, _ = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
