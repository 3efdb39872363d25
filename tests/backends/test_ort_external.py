"""Weights beside the model file."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.backends.ort.session import Session
from tests.models.support import MODELS


@pytest.fixture(autouse=True)
def low_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncomp.backends.ort.external.THRESHOLD", 1 << 16)


def test_build_writes_the_weights_beside_the_model(tmp_path: Path) -> None:
    model = nncomp.load(MODELS / "lenet5.nn")
    model.build(tmp_path / "a.onnx")
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (data,) = [name for name in first if name.endswith(".data")]
    assert len(first["a.onnx"]) < 1 << 16 < len(first[data])
    onnx.checker.check_model(tmp_path / "a.onnx")
    image = np.random.default_rng(0).standard_normal((3, 1, 28, 28), np.float32)
    expected = model.run({"image": image}, backend="numpy")["logits"]
    found = Session(tmp_path / "a.onnx").run({"image": image})["logits"]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    model.build(tmp_path / "a.onnx")
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_large_model_runs_without_being_written(tmp_path: Path) -> None:
    model = nncomp.load(MODELS / "lenet5.nn")
    image = np.zeros((2, 1, 28, 28), np.float32)
    assert model(image=image)["logits"].shape == (2, 10)
