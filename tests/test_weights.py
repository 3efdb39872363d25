"""Weights files: what is written is read back, and what does not fit is said at once."""

import io
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from nncomp.errors import CompileError
from nncomp.ir.graph import Parameter, Value
from nncomp.renaming import idle, renamed
from nncomp.types import Array, DType, TensorType
from nncomp.weights import fit, load_array, load_weights, load_with_metadata, save_weights

ARRAYS = {
    "scalar": np.array(3, np.int64),
    "conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.ones((2, 0, 3), np.float16),
    "mask": np.array([True, False]),
}


def parameter(path: str, dtype: DType, *shape: int) -> Parameter:
    return Parameter(path, Value(TensorType(dtype, shape)), "param")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    save_weights(path, ARRAYS)
    found = load_weights(path)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    before = path.read_bytes()
    save_weights(path, ARRAYS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_bfloat16_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, {"w": np.array([1.5], ml_dtypes.bfloat16)}, {"step": 7, "a": [1]})
    arrays, notes = load_with_metadata(path)
    assert arrays["w"].dtype == ml_dtypes.bfloat16
    assert notes == {"step": 7, "a": [1]}


def test_weights_whose_header_has_the_length_that_pickles_begin_with(tmp_path: Path) -> None:
    array, path = np.zeros(2, np.float32), tmp_path / "w.safetensors"
    for length in range(400, 640):  # a name so long that the header takes 0x280 bytes
        save_weights(path, {"w" * length: array})
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    else:
        pytest.fail("no header has that length")
    assert list(load_weights(path)) == ["w" * length]


def test_everything_that_does_not_fit_is_listed() -> None:
    parameters = [
        parameter("conv.weight", DType.F32, 2, 3),
        parameter("conv.bias", DType.F32, 2),
        parameter("fc.weight", DType.F32, 4),
    ]
    weights = {
        "conv.weight": np.zeros((3, 2), np.float32),
        "conv.bais": np.zeros(2, np.float32),
        "fc.weight": np.zeros(4, np.int64),
    }
    with pytest.raises(CompileError) as failure:
        fit(weights, parameters)
    assert {d.code for d in failure.value.diagnostics} == {"NN0502"}
    text = str(failure.value)
    for part in ("f32[3, 2]", "i64[4]", "lack `conv.bias`", "did you mean `conv.bais`?"):
        assert part in text


def refusals(weights: dict[str, Array], *parameters: Parameter) -> str:
    with pytest.raises(CompileError) as failure:
        fit(weights, parameters)
    return str(failure.value)


def test_transposed_layouts_are_named() -> None:
    text = refusals(
        {"fc": np.zeros((768, 2304), np.float32), "conv": np.zeros((3, 3, 4, 8), np.float32)},
        parameter("fc", DType.F32, 2304, 768),
        parameter("conv", DType.F32, 8, 4, 3, 3),
    )
    assert "f32[768, 2304] in the weights, the model wants f32[2304, 768]: its axes are in" in text
    assert "`Linear(…, transposed=true)` as [in, out]" in text
    assert "axes are in another order" not in text  # 3, 3, 4, 8 is 8, 4, 3, 3 backwards
    text = refusals(
        {"conv": np.zeros((3, 5, 4, 8), np.float32)}, parameter("conv", DType.F32, 8, 4, 3, 5)
    )
    assert "its axes are in another order" in text
    assert "[out, in, height, width]" in text


@pytest.mark.parametrize(
    ("theirs", "ours", "rule"),
    [("net.", "", r"'^net\.='"), ("", "net.deep.", "'^=net.deep.'")],
)
def test_another_beginning_is_found(theirs: str, ours: str, rule: str) -> None:
    names = ["a.weight", "a.bias", "b.weight"]
    weights = {theirs + name: np.zeros(2, np.float32) for name in names}
    text = refusals(weights, *(parameter(ours + name, DType.F32, 2) for name in names))
    assert "3 of the 3 missing tensors are there" in text
    assert f"--rename {rule}" in text


def encoder(layers: int, width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"words.weight": (7, width)}
    for i in range(layers):
        shapes |= {f"layer.{i}.up.weight": (4 * width, width), f"layer.{i}.up.bias": (4 * width,)}
    return shapes


@pytest.mark.parametrize(
    ("layers", "width", "helps"),
    [
        (3, 5, ["--set layers=3 or --set heads=3", "--set width=5"]),
        (3, 8, ["--set layers=3 or --set heads=3"]),
        (2, 5, ["--set width=5"]),
    ],
)
def test_other_values_of_hyperparameters_are_suggested(
    layers: int, width: int, helps: list[str]
) -> None:
    wanted = [parameter(name, DType.F32, *shape) for name, shape in encoder(2, 8).items()]
    weights = {name: np.zeros(s, np.float32) for name, s in encoder(layers, width).items()}
    settings = {"layers": 2, "width": 8, "heads": 2, "words": 7, "dropout": 0.5, "bias": True}
    with pytest.raises(CompileError) as failure:
        fit(weights, wanted, settings=settings)
    assert sorted(d.help for d in failure.value.diagnostics if d.help) == helps


def test_a_size_that_fits_elsewhere_is_not_suggested() -> None:
    wanted = [parameter("a", DType.F32, 8), parameter("b", DType.F32, 8)]
    weights = {"a": np.zeros(8, np.float32), "b": np.zeros(9, np.float32)}
    with pytest.raises(CompileError) as failure:
        fit(weights, wanted, settings={"width": 8})
    assert [d.help for d in failure.value.diagnostics] == [None]


@pytest.mark.parametrize(
    ("extra", "rule"),
    [
        (["embeddings.position_ids"], r"'^embeddings\.position_ids$='"),
        (["cls.bias", "cls.deep.weight"], r"'^cls\..*='"),
        (["fc.scale", "fc.other.weight"], r"'^fc\.other\.weight$='"),
    ],
)
def test_what_is_more_can_be_left_out(extra: list[str], rule: str) -> None:
    numbers = np.zeros(2, np.float32)
    wanted = parameter("fc.weight", DType.F32, 2)
    weights = {"fc.weight": numbers, **dict.fromkeys(extra, numbers[:1])}
    text = refusals(weights, wanted)
    assert f"the weights hold {len(extra)} more than the model has" in text
    assert f"--rename {rule}" in text


def test_a_tensor_that_was_stored_twice_is_recognised() -> None:
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    text = refusals({"wte": numbers, "head": numbers}, parameter("wte", DType.F32, 2, 3))
    assert "has no `head`, which the weights hold (the same numbers as `wte`)" in text


def test_renaming() -> None:
    one, two = np.zeros(1), np.ones(2)
    weights = {"bert.layer1.gamma": one, "cls.bias": two}
    rules = {r"^bert\.": "", r"layer(\d)": r"layers.\1", "gamma$": "weight", "^cls.*": ""}
    assert renamed(weights, rules) == {"layers.1.weight": one}
    assert [d.message for d in idle(weights, {**rules, "beta$": "bias"})] == [
        "the pattern `beta$` matches no name of them"
    ]


@pytest.mark.parametrize(
    ("rules", "fragment"),
    [
        ({"[": ""}, "cannot rename by `[=`"),
        ({"a": r"\9"}, "cannot rename by `a="),
        ({"^.*": "x"}, "`a.w` and `b.w` are both renamed to `x`"),
    ],
)
def test_renaming_that_fails(rules: dict[str, str], fragment: str) -> None:
    with pytest.raises(CompileError) as failure:
        renamed({"a.w": np.zeros(1), "b.w": np.zeros(1)}, rules)
    assert fragment in str(failure.value)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1}', "[" * 100_000, "\xff"])
def test_broken_rename_maps(tmp_path: Path, text: str) -> None:
    save_weights(tmp_path / "w.npz", ARRAYS)
    (tmp_path / "map.json").write_text(text, "latin-1")
    with pytest.raises(CompileError, match="NN0502"):
        load_weights(tmp_path / "w.npz", tmp_path / "map.json")


def test_narrow_floats_widen_and_state_may_be_there() -> None:
    weights = {"w": np.ones(2, np.float16), "adam.w.m": np.ones(2, np.float32)}
    fitted = fit(weights, [parameter("w", DType.F32, 2)], known={"adam.w.m"})
    assert list(fitted) == ["w"]
    assert fitted["w"].dtype == np.float32


def broken_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00 not a header")
    return buffer.getvalue()


def huge_claim() -> bytes:
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(buffer, header)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", buffer.getvalue() + b"1234")
    return archive.getvalue()


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{}], object))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 20,
        b"\x02\0\0\0\0\0\0\0{}",
        b"PK\x03\x04broken",
        broken_zip(),
        huge_claim(),
        pickled(),
        b"\x10\0\0\0\0\0\0\0" + b'{"a":{"dtype":1}' * 2,
    ],
    ids=["empty", "header", "none", "zip", "npy", "huge", "pickle", "json"],
)
def test_broken_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(data)
    if data.endswith(b"{}"):
        assert load_weights(path) == {}
        return
    with pytest.raises(CompileError) as failure:
        load_weights(path)
    assert failure.value.diagnostics[0].code == "NN0502"


def test_arrays_for_inputs(tmp_path: Path) -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3).astype(">f8"))
    np.save(tmp_path / "x.npy", array)
    found = load_array(tmp_path / "x.npy")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, array)
    (tmp_path / "x.npy").write_bytes(b"no array")
    with pytest.raises(CompileError, match="NN0503"):
        load_array(tmp_path / "x.npy")
