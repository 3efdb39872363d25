"""What figures have in common."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import nncomp
from nncomp.types import Array
from nncomp.weights import save_weights
from zoo.row import MODELS


def loaded(file: str, model: str | None = None, **settings: Any) -> nncomp.Model:
    """A model of models/ with initial values."""
    return nncomp.load(MODELS / file, model, **settings)


def grown(
    file: str, weights: Mapping[str, Any], model: str | None = None, **settings: Any
) -> nncomp.Model:
    """The same with some of its weights given."""
    values = loaded(file, model, **settings).parameters
    for name, value in weights.items():
        assert name in values, f"{file} has no {name}: {', '.join(values)}"
        values[name] = np.asarray(value, values[name].dtype).reshape(values[name].shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_weights(path, values)
        return nncomp.load(MODELS / file, model, weights=path, **settings)


def close(found: Array, expected: Any, tolerance: float) -> str:
    """How far two answers are from each other, as a share of the largest number. Raises
    AssertionError where it is more than that."""
    expected = np.asarray(expected, np.float64)
    scale = float(np.abs(expected).max()) or 1.0
    apart = float(np.abs(np.asarray(found, np.float64) - expected).max()) / scale
    assert apart <= tolerance, f"differs by {apart:.1e}, not {tolerance:.0e}"
    return f"within {tolerance:.0e}"
