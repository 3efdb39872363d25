"""Weights files: what is written is read back, and what does not fit is said at once."""

import io
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from nncomp.errors import CompileError
from nncomp.ir.graph import Parameter, Value
from nncomp.types import DType, TensorType
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
