"""A folder of images: a sub-folder for each class."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nncomp.errors import CompileError, error
from nncomp.training.lazy import HELD, LazyArray, Samples
from nncomp.training.sources.source import Arrays, Source, listing
from nncomp.types import Array, TensorType

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # none that runs a program
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_SHOWN = 12  # classes that a note lists


@dataclass(frozen=True)
class Form:
    """What the images are made: grey or colour; None for a size that the first image decides."""

    channels: int
    height: int | None
    width: int | None


def read_pictures(
    root: Path, parts: Mapping[str, Path], inputs: Mapping[str, TensorType]
) -> Source:
    """`image`, u8[N, C, H, W], in the size of the model's input, and `label`, i64[N]: the place of
    the class among the sorted names. Where all of a part do not fit into `HELD`, they are read when
    they are needed.

    parts: the folders of the classes for each of train, validation, test
    Raises CompileError NN0001, NN0501: an unreadable image, a class that training does not have.
    """
    form = _form(inputs)
    classes = [path.name for path in listing(parts["train"]) if path.is_dir()]
    files: dict[str, list[Path]] = {}
    arrays: dict[str, Arrays] = {}
    notes: list[str] = []
    for part, folder in parts.items():
        found = _files(folder, classes)
        files[part] = [path for path, _ in found]
        if not found:
            raise _nothing(folder)
        if part == "train":
            _require_classes(folder, classes, {number for _, number in found}, inputs)
        example = _decoded(files[part][:1], form)
        form = Form(form.channels, *example.shape[2:])
        pixels: Samples
        if len(found) * example.size * 4 > HELD:  # as floats
            read, place = partial(_read, files[part], form), partial(_name, files[part])
            pixels = LazyArray(read, np.arange(len(found)), example, place)
            notes.append(f"{len(found):,} images to {part}: read when they are needed")
        else:
            pixels = _decoded(files[part], form)
        arrays[part] = {"image": pixels, "label": np.array([k for _, k in found], np.int64)}
    listed = ", ".join(f"{name} {number}" for number, name in enumerate(classes[:_SHOWN]))
    more = f" and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else ""
    return Source(
        str(root),
        arrays["train"],
        arrays.get("validation", {}),
        arrays.get("test", {}),
        (f"the classes {listed}{more}", f"image: {form.height}×{form.width}", *notes),
        lambda part, _, row: _name(files[part], row),
    )


def _nothing(folder: Path) -> CompileError:
    return error("NN0501", f"{folder} holds no images", help=f"known: {' '.join(IMAGES)}")


def _require_classes(
    folder: Path, classes: Sequence[str], there: Collection[int], inputs: Mapping[str, TensorType]
) -> None:
    """That there are images of each class, and several classes where the model learns labels."""
    for number, name in enumerate(classes):
        if number not in there:
            raise _nothing(folder / name)
    if len(classes) == 1 and any(type.dtype.is_int for type in inputs.values()):
        raise error(
            "NN0501",
            f"{folder} holds one class of images, `{classes[0]}`: there is nothing to tell apart",
            help="put the images of each class into a folder of its own, named as the class",
        )


def _form(inputs: Mapping[str, TensorType]) -> Form:
    """What the first floating input with an axis of samples can take: [N, C, H, W], or [N, D] where
    D is a square of grey or coloured pixels."""
    for type in inputs.values():
        if not type.dtype.is_float:
            continue
        sizes = [size if isinstance(size, int) else None for size in type.shape]
        if type.rank == 4:
            return Form(1 if sizes[1] == 1 else 3, sizes[2], sizes[3])
        if type.rank == 2 and sizes[1] is not None:
            for channels in (1, 3):
                side = math.isqrt(sizes[1] // channels)
                if channels * side * side == sizes[1]:
                    return Form(channels, side, side)
    raise error("NN0501", "the training step takes no images: it has no input f32[N, C, H, W]")


def _files(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    found = []
    for inside in listing(folder):
        if not inside.is_dir():
            continue
        if inside.name not in classes:
            raise error("NN0501", f"{inside} is a class that there is no image to train on of")
        number = classes.index(inside.name)
        found += [(p, number) for p in listing(inside) if p.suffix.lower() in IMAGES]
    return found


def _name(files: Sequence[Path], row: int) -> str:
    return str(files[row])


def _read(files: Sequence[Path], form: Form, rows: Array) -> Array:
    return _decoded([files[row] for row in rows], form)


def _decoded(files: Sequence[Path], form: Form) -> Array:
    """u8[N, C, H, W]."""
    with _strict_pillow():
        first = _decode(files[0], form)
    form = Form(form.channels, *first.shape[1:])
    pixels = np.empty((len(files), *first.shape), np.uint8)
    with _strict_pillow(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for row, image in enumerate(pool.map(lambda path: _decode(path, form), files)):
            pixels[row] = image
    return pixels


@contextmanager
def _strict_pillow() -> Iterator[None]:
    """An image that would fill the memory is an error, odd metadata is not."""
    try:
        from PIL import Image
    except ImportError:
        raise error(
            "NN0501",
            "Pillow, which reads images, is not installed",
            help="pip install 'nncomp[train]'",
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decode(path: Path, form: Form) -> Array:
    """u8[C, H, W], resized with area averaging where it shrinks."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):  # 16 bits, which `convert` would cut off
                deep = np.asarray(image).astype(np.int64) >> 8
                image = Image.fromarray(deep.clip(0, 255).astype(np.uint8))
            image = image.convert("L" if form.channels == 1 else "RGB")
            size = (form.width or image.width, form.height or image.height)
            if image.size != size:
                image = image.resize(size, Image.Resampling.BILINEAR)
    except (
        OSError,
        ValueError,
        SyntaxError,  # Pillow's, for broken PNG chunks
        EOFError,
        MemoryError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as failure:
        reason = " ".join(str(failure).split()) or type(failure).__name__
        raise error("NN0501", f"cannot read the image {path}: {reason}") from None
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
