"""Files from strangers: where external data may lie, sizes before memory, what never ends."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.errors import CompileError
from tests.onnx_import.support import parsed, refused

GRAPH = "f (float[N,4] x) => (float[N,4] y) <float[4] w = {1,2,3,4}> { y = Mul(x, w) }"
DATA = np.array([1, 2, 3, 4], np.float32).tobytes()


def external(location: str, **more: str) -> onnx.ModelProto:
    """A model whose weights lie in another file."""
    model = parsed(GRAPH)
    tensor = model.graph.initializer[0]
    for field in ("float_data", "raw_data"):
        tensor.ClearField(field)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return model


def written(path: Path, model: onnx.ModelProto) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def code_of(path: Path) -> str:
    with pytest.raises(CompileError) as failure:
        nncomp.load(path)
    return failure.value.diagnostics[0].code


def weight(path: Path) -> list[float]:
    return [float(w) for w in nncomp.load(path).parameters["w"]]


def test_data_in_the_folder_and_below(tmp_path: Path) -> None:
    for place in ("w.bin", "data/w.bin"):
        file = tmp_path / place
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"\0" * 8 + DATA + b"\0")
        path = written(tmp_path / "m.onnx", external(place, offset="8", length="16"))
        assert weight(path) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "location",
    ["../w.bin", "/etc/passwd", "data/../../w.bin", "C:\\w.bin", "..\\w.bin", "\\\\host\\w.bin"],
)
def test_no_way_out_by_name(tmp_path: Path, location: str) -> None:
    (tmp_path / "w.bin").write_bytes(DATA)
    assert code_of(written(tmp_path / "in" / "m.onnx", external(location))) == "NN0802"


def test_no_way_out_by_links(tmp_path: Path) -> None:
    outside = tmp_path / "w.bin"
    outside.write_bytes(DATA)
    path = written(tmp_path / "in" / "m.onnx", external("w.bin"))
    (path.parent / "w.bin").symlink_to(outside)
    assert code_of(path) == "NN0802"
    (path.parent / "w.bin").unlink()
    os.link(outside, path.parent / "w.bin")
    assert code_of(path) == "NN0802"
    (path.parent / "folder").symlink_to(tmp_path)
    assert code_of(written(path, external("folder/w.bin"))) == "NN0802"


def test_a_cache_of_links_into_blobs(tmp_path: Path) -> None:
    """As Hugging Face lays it out: model and data are links to files named by their hashes."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    written(blobs / "aa", external("m.onnx_data"))
    (blobs / "bb").write_bytes(DATA)
    (snapshot / "m.onnx").symlink_to("../../blobs/aa")
    (snapshot / "m.onnx_data").symlink_to("../../blobs/bb")
    assert weight(snapshot / "m.onnx") == [1, 2, 3, 4]


def test_no_pipe_and_no_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert code_of(written(tmp_path / "m.onnx", external("pipe"))) == "NN0802"
    (tmp_path / "folder").mkdir()
    assert code_of(written(tmp_path / "m.onnx", external("folder"))) in ("NN0001", "NN0802")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"offset": "4"}, "NN0801"),  # beyond the end
        ({"offset": "-4"}, "NN0801"),
        ({"length": "999999999999999999"}, "NN0801"),
        ({"length": "four"}, "NN0801"),
    ],
)
def test_sizes_of_data_are_checked(tmp_path: Path, more: dict[str, str], code: str) -> None:
    (tmp_path / "w.bin").write_bytes(DATA)
    assert code_of(written(tmp_path / "m.onnx", external("w.bin", **more))) == code


def test_data_that_are_not_there(tmp_path: Path) -> None:
    assert code_of(written(tmp_path / "m.onnx", external("w.bin"))) == "NN0001"
    assert refused(external("w.bin")).code == "NN0802"  # a model from memory has no folder


def test_shapes_larger_than_the_data() -> None:
    model = parsed(GRAPH)
    model.graph.initializer[0].dims[0] = 1 << 40
    assert refused(model).code == "NN0801"
    model.graph.initializer[0].dims[0] = -4
    assert refused(model).code == "NN0801"


def test_a_sparse_tensor_of_gigabytes() -> None:
    model = parsed("f (float[N] x) => (float[N] y) { z = Neg(w)  y = Add(x, z) }")
    sparse = model.graph.sparse_initializer.add(dims=[1 << 40])
    sparse.values.CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.float32), "w"))
    sparse.indices.CopyFrom(onnx.numpy_helper.from_array(np.zeros(1, np.int64)))
    assert refused(model).code == "NN0008"


def test_calls_that_double_at_each_level() -> None:
    functions = "\n".join(
        f'<opset_import: ["" : 17, "local" : 1], domain: "local"> f{i}(x) => (y) '
        f"{{ a = local.f{i + 1}(x)  y = local.f{i + 1}(a) }}"
        for i in range(40)
    )
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "local" : 1]>\n'
        f"f (float[N] x) => (float[N] y) {{ y = local.f0(x) }}\n{functions}\n"
        '<opset_import: ["" : 17], domain: "local"> f40(x) => (y) { y = Neg(x) }'
    )
    assert refused(model).code == "NN0004"


def test_a_constant_of_gigabytes_is_not_made(tmp_path: Path) -> None:
    """It stays an operator, which building does not compute."""
    text = """f (float[N] x) => (float[1] y) <int64[3] s = {1024,1024,1024}, int64[1] one = {1}> {
      big = ConstantOfShape(s)  flat = ReduceMax<keepdims=0>(big)  y = Reshape(flat, one)
    }"""
    path = written(tmp_path / "m.onnx", parsed(text))
    nncomp.load(path).build(tmp_path / "out.onnx")
    assert (tmp_path / "out.onnx").stat().st_size < 10_000


def test_names_that_are_no_text() -> None:
    data = parsed(GRAPH).SerializeToString()
    assert refused(data.replace(b"Mul", b"M\xffl")).code == "NN0801"
    assert refused(b"").code == "NN0801"
    assert refused(b"\x08\x09 and then no protobuf").code == "NN0801"
