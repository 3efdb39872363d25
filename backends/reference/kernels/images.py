"""Decoding images, by Pillow where it is there."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.errors import error
from nncomp.ir.op import Op
from nncomp.ops.images import ImageDecoder
from nncomp.types import Array

MAX_PIXELS = 1 << 28
"""Of an image: a file of a few bytes may claim any number."""


def decode(op: ImageDecoder, stream: Array) -> Array:
    """The pixels; none at all of what is no image, as ONNX has it."""
    try:
        from PIL import Image
    except ImportError:
        message = "ImageDecoder needs the package `pillow`"
        raise error("NN0603", message, help="pip install pillow") from None
    channels = 1 if op.pixel_format == "Grayscale" else 3
    nothing = np.empty((0, 0, channels), np.uint8)
    try:
        with Image.open(io.BytesIO(stream.tobytes())) as image:
            if image.width * image.height > MAX_PIXELS:
                return nothing
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return nothing
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    return pixels[:, :, ::-1] if op.pixel_format == "BGR" else pixels


KERNELS: dict[type[Op], Callable[..., Any]] = {ImageDecoder: decode}
