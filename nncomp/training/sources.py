"""Where data comes from: scikit-learn's bundled sets, and npz files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nncomp.errors import did_you_mean, error
from nncomp.types import Array
from nncomp.weights import load_weights

Arrays = dict[str, Array]


@dataclass(frozen=True)
class Source:
    """Named arrays with samples along their first axis.

    test: the samples kept apart for the final test, where the source says which
    notes: what was done to the numbers
    """

    name: str
    train: Arrays
    test: Arrays = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_data(spec: str) -> Source:
    """`sklearn:NAME` or the path of an npz file. Raises CompileError NN0001, NN0501.

    In an npz, `x_train` and `x_test` (or `train_x`, `test_x`) are the two parts of `x`.
    """
    kind, colon, name = spec.partition(":")
    if colon and kind == "sklearn":
        if name not in _SKLEARN:
            known = ", ".join(f"sklearn:{n}" for n in _SKLEARN)
            hint = did_you_mean(name, _SKLEARN)
            raise error("NN0501", f"there is no data set `{spec}`", help=hint or f"known: {known}")
        return _sklearn(name)
    if spec.endswith(".npz"):
        return _npz(spec)
    raise error(
        "NN0501",
        f"`{spec}` is neither sklearn:NAME nor an .npz file",
        help="for example `--data sklearn:digits` or `--data samples.npz`",
    )


def _digits(bunch: Any) -> tuple[Arrays, str]:
    images = (bunch.images / 16).astype(np.float32)[:, None]
    return {"image": images, "label": bunch.target.astype(np.int64)}, "scaled to [0, 1]"


def _table(bunch: Any) -> tuple[Arrays, str]:
    scaled = (bunch.data - bunch.data.mean(0)) / np.maximum(bunch.data.std(0), 1e-12)
    label = {"label": bunch.target.astype(np.int64)}
    return {"features": scaled.astype(np.float32), **label}, "each feature scaled to mean 0, std 1"


def _regression(bunch: Any) -> tuple[Arrays, str]:
    features = _table(bunch)[0]["features"]
    target = (bunch.target - bunch.target.mean()) / bunch.target.std()
    return {"features": features, "target": target.astype(np.float32)}, "scaled to mean 0, std 1"


_SKLEARN: Mapping[str, Callable[[Any], tuple[Arrays, str]]] = {
    "digits": _digits,
    "iris": _table,
    "wine": _table,
    "breast_cancer": _table,
    "diabetes": _regression,
}


def _sklearn(name: str) -> Source:
    try:
        from sklearn import datasets
    except ImportError:
        raise error(
            "NN0501",
            "scikit-learn is not installed",
            help="pip install 'nncomp[train]'",
        ) from None
    arrays, note = _SKLEARN[name](getattr(datasets, f"load_{name}")())
    return Source(f"sklearn:{name}", arrays, notes=(note,))


def _npz(path: str) -> Source:
    arrays = load_weights(path)
    train: Arrays = {}
    test: Arrays = {}
    for name, array in arrays.items():
        kind, base = _part(name)
        (test if kind == "test" else train)[base] = array
    if not train:
        raise error("NN0501", f"{path} holds no arrays to train on")
    for part in (train, test):
        for name, array in part.items():
            if array.ndim == 0:
                raise error("NN0501", f"`{name}` in {path} has no axis of samples")
        lengths = {name: len(array) for name, array in part.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise error(
                "NN0501", f"the arrays of {path} differ in their number of samples: {listed}"
            )
    if test and set(test) != set(train):
        odd = ", ".join(sorted(set(test) ^ set(train)))
        raise error("NN0501", f"{path} has only one of the train and test parts of {odd}")
    return Source(path, train, test)


def _part(name: str) -> tuple[str, str]:
    """("test", "x") for `x_test` and `test_x`; ("train", "x") for the others."""
    for part in ("train", "test"):
        if name.endswith(f"_{part}"):
            return part, name.removesuffix(f"_{part}")
        if name.startswith(f"{part}_"):
            return part, name.removeprefix(f"{part}_")
    return "train", name
