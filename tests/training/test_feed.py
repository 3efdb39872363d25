"""What feeds a run: augmentation, batches made ahead, batches of iterables."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.training.augment import Augmentation
from nncomp.training.data import Batch, DataSet
from nncomp.training.feed import ArrayFeed, StreamFeed, ahead
from nncomp.training.ranges import Range
from nncomp.types import DType, TensorType

N = new_dim("N")
INPUTS = {"x": TensorType(DType.F32, (N, 2)), "label": TensorType(DType.I64, (N,))}


def images(count: int = 10) -> DataSet:
    rng = np.random.default_rng(0)
    image = rng.random((count, 1, 6, 8)).astype(np.float32) + 1
    mask = (image[:, 0] > 1.5).astype(np.int64)
    part = {"image": image, "mask": mask, "target": np.arange(count, dtype=np.float32)}
    return DataSet("images", part, {}, {})


def epoch(feed: ArrayFeed, number: int = 1, first: int = 0) -> list[Batch]:
    return list(feed.epoch(number, first))


def same(a: list[Batch], b: list[Batch]) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(x[name], y[name]) for x, y in zip(a, b, strict=True) for name in x
    )


EVERYTHING = Augmentation(shift=2, flip=True, noise=0.1, intensity=0.3)


@pytest.mark.parametrize("augmentation", [Augmentation(), EVERYTHING])
def test_epochs_come_again_for_the_same_seed(augmentation: Augmentation) -> None:
    feed, again, other = (
        ArrayFeed(images(), 4, seed=s, augmentation=augmentation) for s in (7, 7, -8)
    )
    assert feed.steps == 3
    assert same(epoch(feed), epoch(again))
    assert same(epoch(feed, first=2), epoch(again)[2:])
    assert not same(epoch(feed), epoch(feed, 2))
    assert not same(epoch(feed), epoch(other))


def test_without_shuffling_samples_stand_in_order() -> None:
    feed = ArrayFeed(images(), 4, shuffle=False)
    targets = np.concatenate([batch["target"] for batch in feed.epoch(3)])
    np.testing.assert_array_equal(targets, np.arange(10))


@pytest.mark.parametrize(("shift", "flip"), [(2, False), (0, True), (3, True)])
def test_masks_move_with_their_images(shift: int, flip: bool) -> None:
    augmentation = Augmentation(shift=shift, flip=flip)
    before = images(50).train
    after = augmentation.apply(before, np.random.default_rng(0), ["image"])
    np.testing.assert_array_equal(after["image"][:, 0] > 1.5, after["mask"] == 1)
    np.testing.assert_array_equal(after["target"], before["target"])
    mirrored = before["image"][..., ::-1]
    if flip and not shift:
        is_mirrored = (after["image"] == mirrored).all((1, 2, 3))
        is_same = (after["image"] == before["image"]).all((1, 2, 3))
        assert (is_mirrored | is_same).all()
        assert 10 < is_mirrored.sum() < 40


def test_noise_and_intensity_have_their_size() -> None:
    part = {"image": np.ones((400, 1, 8, 8), np.float32), "other": np.ones((400, 3), np.float32)}
    rng = np.random.default_rng(0)
    noisy = Augmentation(noise=0.5).apply(part, rng, ["image"])
    assert noisy["image"].dtype == np.float32
    assert abs(noisy["image"].std() - 0.5) < 0.01
    assert abs(noisy["image"].mean() - 1) < 0.01
    np.testing.assert_array_equal(noisy["other"], part["other"])
    bright = Augmentation(intensity=0.3).apply(part, rng, ["image"])["image"]
    assert np.ptp(bright, axis=(1, 2, 3)).max() == 0
    assert 0.7 <= bright.min() < 0.72
    assert 1.28 < bright.max() <= 1.3


@pytest.mark.parametrize("asked", ["shift", "flip"])
def test_there_must_be_images_to_move(asked: str) -> None:
    data = DataSet("d", {"x": np.zeros((4, 3), np.float32)}, {}, {})
    with pytest.raises(CompileError, match=rf"NN0501.*cannot {asked} images"):
        ArrayFeed(data, 2, augmentation=Augmentation(**{asked: True}))  # type: ignore[arg-type]


# made ahead


def test_batches_made_ahead_are_the_same() -> None:
    made = [{"x": np.array([i])} for i in range(20)]
    assert same(list(ahead(iter(made), 3)), made)


def test_what_goes_wrong_ahead_is_raised_in_its_place() -> None:
    def broken() -> Iterator[Batch]:
        yield {"x": np.zeros(1)}
        raise ZeroDivisionError("mine")

    batches = ahead(broken(), 3)
    assert next(batches)["x"].shape == (1,)
    with pytest.raises(ZeroDivisionError, match="mine"):
        next(batches)


def test_a_reader_that_stops_leaves_no_thread() -> None:
    endless = ({"x": np.zeros(1)} for _ in iter(int, 1))
    batches = ahead(endless, 2)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not any(thread.name == "nncomp-batches" for thread in threading.enumerate())


# iterables


def good(rows: int = 3) -> dict[str, Any]:
    return {"x": np.ones((rows, 2)), "label": [0] * rows}


def test_an_iterable_has_epochs_of_its_own() -> None:
    feed = StreamFeed([good(3), good(2), (np.ones((1, 2)), np.zeros(1, int))], INPUTS)
    for number in (1, 2):
        found = list(feed.epoch(number))
        assert [len(batch["x"]) for batch in found] == [3, 2, 1]
        assert {name: array.dtype for name, array in found[0].items()} == {
            "x": np.float32,
            "label": np.int64,
        }
    assert len(list(feed.epoch(1, first=2))) == 1


def test_a_function_makes_the_batches_of_an_epoch() -> None:
    feed = StreamFeed(lambda epoch: (good(epoch) for _ in iter(int, 1)), INPUTS, steps=4)
    assert [len(batch["x"]) for batch in feed.epoch(3)] == [3] * 4


def test_an_iterator_goes_on_or_ends() -> None:
    feed = StreamFeed(iter([good(1), good(2), good(3)]), INPUTS, steps=2)
    assert [len(batch["x"]) for batch in feed.epoch(1)] == [1, 2]
    assert [len(batch["x"]) for batch in feed.epoch(2)] == [3]
    with pytest.raises(CompileError, match=r"NN0501.*gives no batch in epoch 3"):
        list(feed.epoch(3))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"x": np.ones((3, 2))}, "batch 2 of epoch 1 holds `x`, the training step takes `x`"),
        ({**good(), "y": 0}, "batch 2 of epoch 1 holds `x`, `label`, `y`"),
        ((np.ones((3, 2)),), "batch 2 of epoch 1 has 1 arrays for the inputs `x`, `label`"),
        (np.ones((3, 2)), "batch 2 of epoch 1 has 1 arrays"),
        (
            {"x": np.ones((3, 4)), "label": [0] * 3},
            "batch 2 of epoch 1: f64[3, 4] does not",
        ),
        ({"x": np.ones((3, 2)), "label": [0.5] * 3}, "sample 0 of batch 2 of epoch 1: 0.5 for"),
        ({"x": np.ones((3, 2)), "label": [0] * 2}, "arrays of different lengths: x 3, label 2"),
        ({"x": np.ones((0, 2)), "label": []}, "has no samples for the input `x`"),
        ({"x": [[0, 1], [2, np.nan]], "label": [0, 0]}, "sample 1 of batch 2 of epoch 1: nan"),
        ({"x": [[0, 1], [2, 3]], "label": [0, 9]}, "sample 1 of batch 2 of epoch 1: 9 for the"),
        ({"x": [[0, 1], [2]], "label": [0, 9]}, "batch 2 of epoch 1 has no array for"),
    ],
)
def test_a_bad_batch_is_named(bad: Any, message: str) -> None:
    feed = StreamFeed([good(), bad], INPUTS, limits={"label": Range(0, 3)})
    batches = feed.epoch(1)
    next(batches)
    with pytest.raises(CompileError) as failure:
        next(batches)
    assert failure.value.diagnostics[0].code == "NN0501"
    assert message in failure.value.diagnostics[0].message
