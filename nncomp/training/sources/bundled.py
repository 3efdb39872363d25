"""The data sets that come with scikit-learn: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nncomp.errors import error, nearest
from nncomp.training.sources import derived
from nncomp.training.sources.source import Arrays, Source
from nncomp.types import Array, TensorType

HELD_OUT = 0.1  # the last part of each text
WINDOW = 64  # characters, where the model leaves the length open


def read_bundled(name: str, inputs: Mapping[str, TensorType]) -> Source:
    """The set `sklearn:NAME`. Raises CompileError NN0501: unknown, or scikit-learn is missing."""
    full = f"sklearn:{name}"
    if name not in BUNDLED:
        known = ", ".join(f"sklearn:{n}" for n in BUNDLED)
        near = nearest(name, BUNDLED)
        hint = f"did you mean `sklearn:{near}`?" if near else f"known: {known}"
        raise error("NN0501", f"there is no data set `{full}`", help=hint)
    try:
        from sklearn import datasets
    except ImportError:
        raise error(
            "NN0501", "scikit-learn is not installed", help="pip install 'nncomp[train]'"
        ) from None
    if name == "descriptions":
        return _texts(full, _descriptions(), inputs)
    if name == "sentences":
        return derived.sentences(_descriptions())
    if name == "photos":
        images = np.stack(datasets.load_sample_images().images)
        return Source(full, {"image": np.moveaxis(images, 3, 1)})
    if name == "strokes":
        photos = np.stack(datasets.load_sample_images().images)
        arrays, note = derived.strokes(datasets.load_digits(), photos, inputs)
    elif name == "words":
        arrays, note = derived.words(datasets.load_digits())
    else:
        arrays, note = _SETS[name](getattr(datasets, f"load_{name}")())
    return Source(full, arrays, notes=(note,))


def _digits(bunch: Any) -> tuple[Arrays, str]:
    images = (bunch.images / 16).astype(np.float32)[:, None]
    return {"image": images, "label": bunch.target.astype(np.int64)}, "scaled to [0, 1]"


def _table(bunch: Any) -> tuple[Arrays, str]:
    label = {"label": bunch.target.astype(np.int64)}
    return {"features": _scaled(bunch.data), **label}, "each feature scaled to mean 0, std 1"


def _regression(bunch: Any) -> tuple[Arrays, str]:
    arrays: Arrays = {"features": _scaled(bunch.data), "target": _scaled(bunch.target)}
    return arrays, "scaled to mean 0, std 1"


def _scaled(numbers: Array) -> Array:
    scaled = (numbers - numbers.mean(0)) / np.maximum(numbers.std(0), 1e-12)
    return np.asarray(scaled.astype(np.float32))


_SETS: Mapping[str, Callable[[Any], tuple[Arrays, str]]] = {
    "digits": _digits,
    "iris": _table,
    "wine": _table,
    "breast_cancer": _table,
    "diabetes": _regression,
    "linnerud": _regression,
}
BUNDLED = (*_SETS, "photos", "descriptions", "sentences", "words", "strokes")


def _descriptions() -> dict[str, str]:
    """The texts that describe scikit-learn's data sets, those that have to be fetched too."""
    from importlib.resources import files

    folder = files("sklearn.datasets.descr")
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".rst")), key=lambda f: f.name)
    return {file.name.removesuffix(".rst"): file.read_text("utf-8") for file in found}


def _texts(name: str, texts: Mapping[str, str], inputs: Mapping[str, TensorType]) -> Source:
    """Windows of characters as numbers: `tokens` and, each one on, `next`, i64[N, T], and `label`,
    the text that a window is of. The end of each text is for testing."""
    lengths = (t.shape[1] for t in inputs.values() if t.rank == 2 and t.dtype.is_int)
    length = next((size for size in lengths if isinstance(size, int)), WINDOW)
    alphabet = sorted(set("".join(texts.values())))
    number = {character: i for i, character in enumerate(alphabet)}
    parts: dict[str, list[tuple[list[int], int]]] = {"train": [], "test": []}
    for label, text in enumerate(texts.values()):
        cut = round(len(text) * (1 - HELD_OUT))
        for part, piece in (("train", text[:cut]), ("test", text[cut:])):
            codes = [number[character] for character in piece]
            starts = range(0, len(codes) - length, length)
            parts[part] += [(codes[start : start + length + 1], label) for start in starts]
    arrays: dict[str, Arrays] = {}
    for part, windows in parts.items():
        if not windows:
            raise error("NN0501", f"no text of {name} is longer than {length} characters")
        codes_of = np.array([codes for codes, _ in windows], np.int64)
        labels = np.array([label for _, label in windows], np.int64)
        arrays[part] = {"tokens": codes_of[:, :-1], "next": codes_of[:, 1:], "label": labels}
    note = f"{len(texts)} texts of {len(alphabet)} different characters, windows of {length}"
    return Source(name, arrays["train"], test=arrays["test"], notes=(note,))
