"""Weights beside the model file."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.backends.ort.session import Session
from nncomp.driver.building import BuildResult
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


def test_build_writes_them_beside_it_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncomp.backends.ort.external.THRESHOLD", 1 << 30)
    model = nncomp.load(MODELS / "lenet5.nn")
    whole = model.build(tmp_path / "whole.onnx").inference
    apart = model.build(tmp_path / "apart.onnx", external_data=True).inference
    assert whole is not None
    assert whole.data is None
    assert apart is not None
    assert apart.data is not None
    assert apart.path.stat().st_size < 1 << 16 < apart.data.stat().st_size
    feed = {"image": np.random.default_rng(0).standard_normal((3, 1, 28, 28), np.float32)}
    outputs = [Session(file.path).run(feed)["logits"] for file in (whole, apart)]
    assert np.array_equal(*outputs)


def test_an_imported_model_keeps_its_weights_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncomp.backends.ort.external.THRESHOLD", 1 << 30)
    nncomp.load(MODELS / "lenet5.nn").build(tmp_path / "a.onnx", external_data=True)
    apart = nncomp.load(tmp_path / "a.onnx")
    assert _beside(apart.build(tmp_path / "b.onnx"))
    assert not _beside(apart.build(tmp_path / "c.onnx", external_data=False))
    assert not _beside(nncomp.load(tmp_path / "c.onnx").build(tmp_path / "d.onnx"))


def _beside(result: BuildResult) -> bool:
    assert result.inference is not None
    return result.inference.data is not None


def test_a_model_without_weights_has_nothing_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "double.nn"
    source.write_text("nn 1\n\nmodel Double {\n  input x: f32[N]\n  output y = 2 * x\n}\n")
    nncomp.load(source).build(tmp_path / "double.onnx", external_data=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["double.nn", "double.onnx"]


def test_a_large_model_runs_without_being_written(tmp_path: Path) -> None:
    model = nncomp.load(MODELS / "lenet5.nn")
    image = np.zeros((2, 1, 28, 28), np.float32)
    assert model(image=image)["logits"].shape == (2, 10)
