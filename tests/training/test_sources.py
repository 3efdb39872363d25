"""Where data comes from, and what is said of data that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.training.data import DataSet, Split, load_data, size_of
from nncomp.training.ranges import Range
from nncomp.training.sources import Reading, read_data
from nncomp.training.sources.bundled import BUNDLED
from nncomp.training.sources.generated import TASKS
from nncomp.types import DType, TensorType
from nncomp.weights import save_weights

N = new_dim("N")
LABEL = TensorType(DType.I64, (N,))
Inputs = Mapping[str, TensorType]


def floats(*shape: int) -> TensorType:
    return TensorType(DType.F32, (N, *shape))


TABLE: Inputs = {"features": floats(2), "label": LABEL}
IMAGES: Inputs = {"image": floats(1, 6, 6), "label": LABEL}
PICTURES: Inputs = {"image": floats(1, 6, 6)}


def refusal(data: str | list[str], inputs: Inputs, **options: object) -> str:
    """The message of the NN0501 that the data is refused with."""
    with pytest.raises(CompileError) as failure:
        load_data(data, inputs, **options)  # type: ignore[arg-type]
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "NN0501"
    return diagnostic.message


def everything(data: DataSet) -> dict[str, np.ndarray]:
    parts = [part for part in (data.train, data.validation, data.test) if part]
    return {name: np.concatenate([part[name] for part in parts]) for name in data.train}


# tables


def table(folder: Path, text: str, name: str = "t.csv") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


ROWS = "".join(f"{i},{i / 10},{'cat' if i % 2 else 'dog'}\n" for i in range(20))


def test_the_last_column_is_the_target(tmp_path: Path) -> None:
    data = load_data(table(tmp_path, f"a,b,kind\n{ROWS}"), TABLE)
    assert data.notes[:2] == ("features: a, b", "kind: the classes cat 0, dog 1")
    found = everything(data)
    order = np.argsort(found["features"][:, 0])
    np.testing.assert_array_equal(found["features"][order, 0], np.arange(20))
    np.testing.assert_array_equal(found["label"][order], 1 - np.arange(20) % 2)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_columns_are_named_by_the_model_or_by_options(tmp_path: Path, name: str) -> None:
    rows = "".join(f"{i % 2};{i};{i / 10};x\n" for i in range(20))
    path = table(tmp_path, f"\ufefflabel;a;b;note\n{rows}\n\n", name)
    reading = Reading(columns=("b", "a"))
    found = everything(load_data(path, TABLE, reading=reading))
    np.testing.assert_allclose(found["features"][:, 0] * 10, found["features"][:, 1], rtol=1e-6)
    assert set(found["label"]) == {0, 1}
    source = read_data(path, {}, Reading(label="a", columns=("b",)))
    np.testing.assert_array_equal(source.train["a"], np.arange(20))


def test_a_table_for_regression(tmp_path: Path) -> None:
    path = table(tmp_path, "a,b,y\n" + "".join(f"{i},1e0,{2 * i}\n" for i in range(20)))
    for target in (floats(), floats(1)):
        found = everything(load_data(path, {"features": floats(2), "target": target}))
        assert found["target"].shape == (20, *target.shape[1:])
        np.testing.assert_array_equal(found["target"].ravel(), 2 * found["features"][:, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,kind\n1,2,0\n1,?,1\n", "line 3 of {} has `?` in the column `b`, a number is needed"),
        ("a,b,kind\n1,2,0\n1,,1\n", "line 3 of {} has nothing in the column `b`"),
        ("a,b,kind\n1,2,0\n1,2,\n", "line 3 of {} has nothing in the column `kind`"),
        ('a,b,kind\n"1\n",2,0\n1,2\n', "line 4 of {} has 2 fields, the header 3"),
        ("a,b,kind\n1,nan,0\n1,inf,1\n", "line 2 of {}: nan for the input `features`"),
        ("a,b,kind\n1,2,0\n1,1e39,1\n", "line 3 of {}: inf for the input `features`"),
        ("a,b,kind\n" + "1,2,0\n" * 9 + "1,2,7\n", "line 11 of {}: 7 for the input `label`"),
        ("a,b,kind\n1,2,-1\n", "line 2 of {}: -1 for the input `label`, which takes 0 to 2"),
        ("1,2,3\n4,5,6\n", "the first line of {} holds numbers, it must name the columns"),
        ("a,a,b\n1,2,3\n", "{} has two columns `a`"),
        ("a,b,kind\n", "{} has no samples"),
        ("", "{} has no samples"),
        ('a,b,kind\n1,"2"x,3\n', "line 2 of {} is no table"),
    ],
)
def test_bad_tables_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path, text)
    assert message.format(path) in refusal(path, TABLE, limits={"label": Range(0, 3)})


def test_unknown_columns_and_encodings(tmp_path: Path) -> None:
    path = table(tmp_path, f"a,b,kind\n{ROWS}")
    assert "no column `kinds`; it has a, b, kind" in refusal(
        path, TABLE, reading=Reading(label="kinds")
    )
    Path(path).write_bytes(b"a,b\n\xff,1\n")
    with pytest.raises(CompileError, match="NN0002"):
        load_data(path, TABLE)


# array files


def test_arrays_come_from_any_kind_of_file(tmp_path: Path) -> None:
    x, y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 2
    np.savez(tmp_path / "d.npz", features=x, label=y)
    save_weights(tmp_path / "d.safetensors", {"features": x, "label": y})
    (tmp_path / "arrays").mkdir()
    for name, array in (("features", x), ("label", y)):
        np.save(tmp_path / "arrays" / f"{name}.npy", array)
    single = [str(tmp_path / "arrays" / f"{name}.npy") for name in ("features", "label")]
    single[1] = f"label={single[1]}"
    specs = [str(tmp_path / name) for name in ("d.npz", "d.safetensors", "arrays")]
    for spec in (*specs, single):
        found = load_data(spec, TABLE)
        assert size_of(found.train) == 14
        np.testing.assert_array_equal(found.train["label"], found.train["features"][:, 0] // 2 % 2)
    given = load_data({"features": x, "label": y}, TABLE)
    np.testing.assert_array_equal(given.test["features"], found.test["features"])


def test_folders_and_names_tell_the_parts(tmp_path: Path) -> None:
    for part, size in (("train", 9), ("val", 4), ("test", 3)):
        (tmp_path / "d" / part).mkdir(parents=True)
        np.save(tmp_path / "d" / part / "x.npy", np.full((size, 2), size, np.float32))
    parts = {f"x_{p}": np.zeros((n, 2)) for p, n in (("train", 9), ("valid", 4), ("test", 3))}
    for data in (str(tmp_path / "d"), parts):
        found = load_data(data, {"x": floats(2)})
        assert [size_of(p) for p in (found.train, found.validation, found.test)] == [9, 4, 3]


def test_classes_may_be_whole_floats(tmp_path: Path) -> None:
    """As tables hold them after a gap was filled."""
    rows = [f"{i},{i % 2}.0" for i in range(20)]
    (tmp_path / "d.csv").write_text("\n".join(["a,label", *rows]))
    path, inputs = str(tmp_path / "d.csv"), {"a": floats(1), "label": LABEL}
    assert load_data(path, inputs).train["label"].dtype == np.int64
    (tmp_path / "d.csv").write_text("\n".join(["a,label", *rows, "20,0.5"]))
    message = refusal(path, inputs)
    assert message == f"line 22 of {path}: 0.5 for the input `label`, which takes whole numbers"
    huge = {"a": np.zeros((20, 1)), "label": np.full(20, 1e30)}
    assert "`label[0]` of the data: 1e+30 for the input `label`" in refusal(huge, inputs)


def test_columns_are_of_tables(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", features=np.zeros((20, 2)), label=np.zeros(20, int))
    for reading, option in (
        (Reading(label="label"), "--label label"),
        (Reading(columns=("a", "b")), "--columns a,b"),
    ):
        with pytest.raises(CompileError, match=f"`{option}` is for the columns of a table"):
            load_data(str(tmp_path / "d.npz"), TABLE, reading=reading)


def test_damaged_files_are_data_that_cannot_be_used(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", features=np.zeros((20, 2)), label=np.zeros(20, int))
    path = tmp_path / "d.npz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(CompileError, match=f"NN0501.: cannot use {path}: File is not a zip file"):
        load_data(str(path), TABLE)
    (tmp_path / "features.npy").write_bytes(b"")
    with pytest.raises(CompileError, match=r"NN0501.*features\.npy: it is no \.npy file"):
        load_data([str(tmp_path / "features.npy")], TABLE)


def test_bad_arrays_are_refused_by_row(tmp_path: Path) -> None:
    x = np.zeros((20, 2), np.float32)
    x[7, 1] = x[9, 0] = np.nan
    y = np.zeros(20, np.int64)
    y[3] = 5
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y)
    path = str(tmp_path / "d.npz")
    inputs = {"x": floats(2), "y": LABEL}
    assert f"`x_train[7]` of {path}: nan for the input `x`" in refusal(path, inputs)
    assert "(and 1 more)" in refusal(path, inputs)
    np.savez(tmp_path / "d.npz", x=np.nan_to_num(x), y=y)
    message = refusal(path, inputs, limits={"y": Range(0, 5)})
    assert message == f"`y[3]` of {path}: 5 for the input `y`, which takes 0 to 4"
    assert load_data(path, inputs, limits={"y": Range(0, 5, ignored=5)})
    np.savez(tmp_path / "d.npz", x=np.array(["a"] * 20), y=y)
    assert f"cannot tell what of {path} feeds" in refusal(path, {"u": floats(2), "v": LABEL})
    message = refusal(path, {"x": floats(), "y": LABEL})
    assert message.startswith(f"`x` of {path}: string[20] does not fit the input `x: f32[N]`")
    assert message.endswith("string does not become f32")
    np.savez(tmp_path / "d.npz", x=np.zeros((0, 2)), y=np.zeros(0, np.int64))
    assert "has no samples" in refusal(path, inputs)
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 2)), y=np.zeros(2, np.int64))
    assert "too few samples: of 2 none is left for" in refusal(path, inputs)
    assert size_of(load_data(path, inputs, split=Split(1.0, 0.0, 0.0)).train) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "several sources of data must be .npy files"),
        (["a.npz", "b.npz"], "several sources of data must be .npy files"),
        (["x=a.npy", "x=b.npy"], "two files give the array `x`"),
        ("empty", "holds neither .npy files nor folders of images"),
    ],
)
def test_sources_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str | list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    for name in ("a.npy", "b.npy"):
        np.save(name, np.zeros(3))
    assert message in refusal(data, TABLE)


# images


def picture(path: Path, grey: int, size: tuple[int, int] = (6, 6), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], grey, np.uint8)).convert(mode).save(path)


def test_a_folder_of_images_has_a_class_for_each_folder(tmp_path: Path) -> None:
    for i in range(10):
        picture(tmp_path / "a" / f"{i}.png", 100 + i)
        picture(tmp_path / "b" / f"{i}.jpg", 200 + i, (12, 9), "RGB")
    data = load_data(str(tmp_path), IMAGES)
    found = everything(data)
    assert found["image"].shape == (20, 1, 6, 6)
    assert data.notes[0] == "the classes a 0, b 1"
    np.testing.assert_array_equal(found["image"].mean((1, 2, 3)) > 0.6, found["label"] == 1)
    colour = load_data(str(tmp_path), {"image": floats(3, 4, 8), "label": LABEL})
    assert colour.train["image"].shape[1:] == (3, 4, 8)
    flat = load_data(str(tmp_path), {"x": floats(49), "label": LABEL})
    assert flat.train["x"].shape[1:] == (49,)


def test_deep_and_turned_images(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    deep = np.full((6, 6), 0x8000, np.uint16)
    Image.fromarray(deep).save(tmp_path / "a" / "1.png")
    turned = Image.fromarray(np.repeat(np.array([[0], [255]], np.uint8), 6, 1).repeat(3, 0))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "a" / "2.png", exif=exif)
    whole = Split(1.0, 0.0, 0.0)
    images = load_data(str(tmp_path), PICTURES, split=whole).train["image"]
    np.testing.assert_allclose(images[0], 128 / 255)
    np.testing.assert_array_equal(images[1, 0, :, 0], [1, 1, 1, 0, 0, 0])


def test_parts_in_folders(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("test", 2)):
        for i in range(count):
            picture(tmp_path / part / "a" / f"{i}.png", i)
    data = load_data(str(tmp_path), PICTURES)
    assert size_of(data.test) == 2
    picture(tmp_path / "test" / "z" / "1.png", 0)
    assert "is a class that there is no image to train on of" in refusal(str(tmp_path), PICTURES)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, None])
def test_an_unreadable_image_is_named(tmp_path: Path, content: bytes | None) -> None:
    for i in range(4):
        picture(tmp_path / "a" / f"{i}.png", i, (40, 40))
    bad = tmp_path / "a" / "3.png"
    bad.write_bytes(bad.read_bytes()[:60] if content is None else content)
    assert f"cannot read the image {bad}: " in refusal(str(tmp_path), PICTURES)


def test_classes_without_images(tmp_path: Path) -> None:
    """One class does where no label is learnt."""
    picture(tmp_path / "a" / "1.png", 0)
    assert "holds one class of images, `a`" in refusal(str(tmp_path), IMAGES)
    assert size_of(load_data(str(tmp_path), PICTURES, split=Split(1, 0, 0)).train) == 1
    (tmp_path / "b").mkdir()
    assert refusal(str(tmp_path), IMAGES) == f"{tmp_path / 'b'} holds no images"


def test_images_without_classes_or_input(tmp_path: Path) -> None:
    picture(tmp_path / "1.png", 0)
    assert "have no classes" in refusal(str(tmp_path), IMAGES)
    picture(tmp_path / "a" / "1.png", 0)
    assert "takes no images" in refusal(str(tmp_path), {"x": floats(5), "label": LABEL})


# bundled sets


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets(name: str) -> None:
    source = read_data(f"sklearn:{name}")
    assert source.train
    for array in source.train.values():
        assert array.dtype in (np.float32, np.int64, np.uint8)
        assert np.isfinite(array).all()


def test_texts_as_windows() -> None:
    inputs = {"tokens": TensorType(DType.I64, (N, 20)), "next": TensorType(DType.I64, (N, 20))}
    data = load_data("sklearn:descriptions", inputs)
    for part in (data.train, data.test):
        assert part["tokens"].shape[1] == 20
        np.testing.assert_array_equal(part["tokens"][:, 1:], part["next"][:, :-1])


# tasks made by a rule


@pytest.mark.parametrize("task", TASKS)
def test_tasks_are_the_same_each_time(task: str) -> None:
    one, other = (read_data(f"generated:{task},samples=64") for _ in range(2))
    assert one.train.keys() == other.train.keys()
    for name, array in one.train.items():
        assert len(array) == 64
        np.testing.assert_array_equal(array[:], other.train[name][:])


def test_what_the_tasks_ask() -> None:
    adding = read_data("generated:adding,length=12,samples=50").train
    values, marks = np.moveaxis(adding["x"][:], 2, 0)
    assert (marks.sum(axis=1) == 2).all()
    np.testing.assert_allclose((values * marks).sum(axis=1), adding["target"][:, 0], rtol=1e-6)
    parity = read_data("generated:parity")
    assert parity.train["x"][:].sum() == 256 * 4
    assert parity.test["label"][:].mean() == 0.5
    strings = read_data("generated:reverse,samples=9,length=5").train
    np.testing.assert_array_equal(strings["label"][:, ::-1], strings["source"][:])
    np.testing.assert_array_equal(strings["target"][:, 1:], strings["label"][:, :-1])
    facts = read_data("generated:facts,samples=200").train
    for story, question, answer in zip(*(facts[n][:] for n in facts), strict=True):
        assert [place for who, _, place in story if who == question[1]][-1] == answer
    motif = read_data("generated:motif,samples=100").train
    strings_of = ["".join("ACGT"[b] for b in x.argmax(axis=0)) for x in motif["x"][:]]
    assert [int("TATAAT" in text) for text in strings_of] == motif["label"][:].tolist()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ading", "there is no data set `generated:ading`"),
        ("adding,size=3", "`size=3` is no size of generated:adding"),
        ("adding,length=0", "`length=0` is no size"),
        ("adding,length=x", "`length=x` is no size"),
        ("adding,length=99999,samples=99999", "more than 100,000,000 numbers"),
        ("motif,length=3", "a motif of 6 bases does not fit into 3"),
    ],
)
def test_tasks_that_are_refused(spec: str, message: str) -> None:
    with pytest.raises(CompileError) as failure:
        read_data(f"generated:{spec}")
    assert message in failure.value.diagnostics[0].message


def test_the_karate_club_keeps_sides_for_testing() -> None:
    club = read_data("networkx:karate")
    assert (club.train["label"][:] >= 0).sum() == 2
    assert (club.test["label"][:] >= 0).sum() == 34
    adjacency = club.train["adjacency"][:]
    np.testing.assert_array_equal(adjacency, adjacency.T)


def test_strokes_and_words_fit_their_models() -> None:
    inputs = {"image": floats(1, 44, 44), "label": TensorType(DType.I64, (N, 4, 4))}
    strokes = read_data("sklearn:strokes", inputs).train
    assert strokes["image"].shape[1:] == (1, 44, 44)
    assert strokes["label"].shape[1:] == (4, 4)
    assert 0 < strokes["label"][:].mean() < 1
    assert "no images of 500×500" in refusal("sklearn:strokes", {"image": floats(1, 500, 500)})
    words = read_data("sklearn:words").train
    assert "".join("?abcdefghijklmnopqrstuvwxyz"[c] for c in words["label"][7]) == "seven?"
    np.testing.assert_array_equal(words["target"][:, 1:], words["label"][:, :-1])
