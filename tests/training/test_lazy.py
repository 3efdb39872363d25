"""Samples that are read when they are needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncomp.errors import CompileError
from nncomp.training.augment import Augmentation
from nncomp.training.data import Split, batches, load_data
from nncomp.training.feed import ArrayFeed
from nncomp.training.lazy import LazyArray
from nncomp.training.sources import pictures
from tests.training.test_sources import IMAGES, LABEL, floats, picture


def test_images_that_do_not_fit_into_memory_are_read_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batches, with and without augmentation; a bad image is found when it is its turn."""
    for i in range(12):
        picture(tmp_path / "ab"[i % 2] / f"{i}.png", 20 * i, (12, 9))
    held = load_data(str(tmp_path), IMAGES)
    monkeypatch.setattr(pictures, "HELD", 1000)
    lazy = load_data(str(tmp_path), IMAGES)
    assert isinstance(lazy.train["image"], LazyArray)
    assert "12 images to train: read when they are needed" in lazy.notes
    assert lazy.describe() == held.describe()
    for augmentation in (Augmentation(), Augmentation(flip=True, noise=0.1)):
        feeds = [ArrayFeed(data, 3, augmentation=augmentation) for data in (held, lazy)]
        for one, other in zip(feeds[0].epoch(2), feeds[1].epoch(2), strict=True):
            np.testing.assert_array_equal(one["image"], other["image"])
            np.testing.assert_array_equal(one["label"], other["label"])
    for one, other in zip(batches(held.test, 2), batches(lazy.test, 2), strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
    bad = tmp_path / "b" / "11.png"
    bad.write_bytes(b"no image")
    feed = ArrayFeed(load_data(str(tmp_path), IMAGES, split=Split(1.0, 0.0, 0.0)), 3)
    with pytest.raises(CompileError, match=rf"NN0501.*cannot read the image {bad}"):
        list(feed.epoch(1))


def test_arrays_that_do_not_fit_into_memory_are_read_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batches; bad numbers are named, those that a narrower dtype makes when they are
    read."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 5))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "label.npy", np.arange(30) % 3)
    files = [str(tmp_path / "x.npy"), str(tmp_path / "label.npy")]
    inputs = {"x": floats(5), "label": LABEL}
    held = load_data(files, inputs)
    monkeypatch.setattr("nncomp.training.data.HELD", 500)
    monkeypatch.setattr("nncomp.training.sources.array_files.HELD", 500)
    lazy = load_data(files, inputs)
    assert isinstance(lazy.train["x"], LazyArray)
    assert isinstance(lazy.train["label"], np.ndarray)
    assert "x: 30 samples to train, read when they are needed" in lazy.notes
    for one, other in zip(batches(held.test, 4), batches(lazy.test, 4), strict=True):
        np.testing.assert_array_equal(one["x"], other["x"])
        np.testing.assert_array_equal(one["label"], other["label"])
    x[17, 3] = 1e300
    np.save(tmp_path / "x.npy", x)
    feed = ArrayFeed(load_data(files, inputs, split=Split(1.0, 0.0, 0.0)), 4)
    with pytest.raises(CompileError, match=r"NN0501.*`x\[17\]` of .*x.npy: inf"):
        list(feed.epoch(1))
    x[11, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(CompileError, match=r"NN0501.*`x\[11\]` of .*x.npy: nan"):
        load_data(files, inputs)


@pytest.mark.parametrize("held", [500, 1 << 30])
def test_arrays_of_another_shape(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the whole shape as it is in the file, whether all of it was read or not, and
    what was done before it did not fit."""
    np.save(tmp_path / "image.npy", np.zeros((30, 3, 12, 8), np.uint8))
    np.save(tmp_path / "label.npy", np.arange(30) % 3)
    files = [str(tmp_path / "image.npy"), str(tmp_path / "label.npy")]
    monkeypatch.setattr("nncomp.training.data.HELD", held)
    monkeypatch.setattr("nncomp.training.sources.array_files.HELD", held)
    with pytest.raises(CompileError) as failure:
        load_data(files, IMAGES)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "NN0501"
    assert diagnostic.message == (
        f"`image` of {files[0]}: u8[30, 3, 12, 8] does not fit the input `image: f32[N, 1, 6, 6]`: "
        "axis 1 is 3, not 1"
    )
    notes = [note.message for note in diagnostic.notes]
    assert notes == ["image: 0..255 scaled to [0, 1]", "image: resized from 12×8 to 6×6"]
