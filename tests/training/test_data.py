"""Loading, matching and splitting data."""

from pathlib import Path

import numpy as np
import pytest

from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.training.data import Split, batches, load_data
from nncomp.training.images import resize, shift
from nncomp.types import DType, TensorType

N = new_dim("N")


def floats(*shape: int) -> TensorType:
    return TensorType(DType.F32, (N, *shape))


LABEL = TensorType(DType.I64, (N,))


@pytest.mark.parametrize(
    ("wanted", "notes"),
    [
        ((1, 8, 8), []),
        ((1, 28, 28), ["image: resized from 8×8 to 28×28"]),
        (
            (3, 32, 32),
            ["image: resized from 8×8 to 32×32", "image: grey repeated over 3 channels"],
        ),
        ((64,), ["image: flattened"]),
        ((784,), ["image: resized from 8×8 to 28×28", "image: flattened"]),
    ],
)
def test_digits_take_the_shape_of_the_input(wanted: tuple[int, ...], notes: list[str]) -> None:
    data = load_data("sklearn:digits", {"image": floats(*wanted), "label": LABEL})
    assert data.train["image"].shape[1:] == wanted
    assert data.train["image"].dtype == np.float32
    assert data.train["image"].min() >= 0
    assert data.train["image"].max() <= 1
    assert list(data.notes[1:]) == notes


def test_parts_are_disjoint_stratified_and_fixed() -> None:
    inputs = {"image": floats(64), "label": LABEL}
    first, again = (load_data("sklearn:digits", inputs) for _ in range(2))
    rows = [p["image"] for p in (first.train, first.validation, first.test)]
    assert [len(r) for r in rows] == [1258, 180, 359]
    everything = np.concatenate(rows)
    original = load_data("sklearn:digits", inputs, split=Split(seed=1))
    other = np.concatenate(
        [p["image"] for p in (original.train, original.validation, original.test)]
    )
    assert sorted(map(bytes, everything)) == sorted(map(bytes, other))
    assert np.ptp(np.bincount(first.test["label"])) <= 2
    np.testing.assert_array_equal(first.test["image"], again.test["image"])
    assert not np.array_equal(first.test["image"], original.test["image"])


def test_arrays_match_by_type_where_names_differ() -> None:
    data = load_data("sklearn:iris", {"y": LABEL, "x": floats(4)})
    assert data.train["x"].shape[1] == 4
    assert set(data.train["y"]) == {0, 1, 2}


def test_an_npz_may_say_what_is_for_testing(tmp_path: Path) -> None:
    x = np.arange(60, dtype=np.uint8).reshape(20, 3)
    path = tmp_path / "d.npz"
    np.savez(path, x_train=x, y_train=np.arange(20) % 2, x_test=x[:4], y_test=np.arange(4) % 2)
    data = load_data(str(path), {"x": floats(3), "y": LABEL})
    assert [len(p["x"]) for p in (data.train, data.validation, data.test)] == [18, 2, 4]
    np.testing.assert_array_equal(data.test["x"], x[:4].astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("spec", "inputs", "message"),
    [
        ("sklearn:digit", {"x": floats(64)}, "there is no data set `sklearn:digit`"),
        ("digits", {"x": floats(64)}, "`digits` is no data: neither sklearn:NAME nor"),
        ("sklearn:digits", {}, "takes no data"),
        (
            "sklearn:digits",
            {"x": floats(65)},
            "does not fit the input `x: f32[N, 65]`: axis 1 is 64",
        ),
        ("sklearn:digits", {"x": LABEL, "y": LABEL}, "feeds the input `y`: no array is left"),
        ("sklearn:digits", {"t": TensorType(DType.F32, ())}, "no axis of samples"),
    ],
)
def test_data_that_cannot_be_used(spec: str, inputs: dict[str, TensorType], message: str) -> None:
    with pytest.raises(CompileError) as failure:
        load_data(spec, inputs)
    assert failure.value.diagnostics[0].code == "NN0501"
    assert message in failure.value.diagnostics[0].message


def test_arrays_of_different_lengths(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((5, 2), np.float32), y=np.zeros(4, np.int64))
    with pytest.raises(CompileError, match="differ in their number of samples: x 5, y 4"):
        load_data(str(tmp_path / "d.npz"), {"x": floats(2), "y": LABEL})


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.array([{}], object))
    with pytest.raises(CompileError, match="NN0501"):
        load_data(str(tmp_path / "d.npz"), {"x": floats(2)})


def test_batches_cover_everything_once() -> None:
    part = {"x": np.arange(10), "y": np.arange(10) * 2}
    seen = list(batches(part, 4, np.random.default_rng(0)))
    assert [len(b["x"]) for b in seen] == [4, 4, 2]
    assert sorted(np.concatenate([b["x"] for b in seen])) == list(range(10))
    assert all(np.array_equal(b["y"], b["x"] * 2) for b in seen)


def test_resizing_a_ramp_keeps_it_a_ramp() -> None:
    ramp = np.tile(np.arange(8, dtype=np.float32), (1, 1, 5, 1))
    big = resize(ramp, 7, 32)
    assert big.shape == (1, 1, 7, 32)
    inner = big[0, 0, 3, 2:-2]
    np.testing.assert_allclose(np.diff(inner), 0.25, rtol=1e-5)
    np.testing.assert_allclose(resize(ramp, 5, 8), ramp)


def test_shifts_move_whole_images() -> None:
    images = np.arange(1, 2 * 3 * 4 * 5 + 1, dtype=np.float32).reshape(2, 3, 4, 5)
    moved = shift(images, np.array([[1, -2], [0, 3]]))
    np.testing.assert_array_equal(moved[0, :, 1:], images[0, :, :-1])
    np.testing.assert_array_equal(moved[1, :, :2, 3:], images[1, :, 2:, :2])
    assert not moved[0, :, 0].any()
    assert not moved[1, :, 2:].any()
    assert not moved[1, :, :, :3].any()
