"""Numbers: which weights are the same, how much the others differ, which have another name."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest

import nncomp
from nncomp.errors import CompileError
from nncomp.inspect.diff.result import Values
from nncomp.inspect.diff.tensors import Tolerance, compare_values
from nncomp.types import Array
from tests.inspect.diff.support import CHAIN, diff, model, told, written


def test_one_number(tmp_path: Path) -> None:
    other = model(CHAIN, conv1_weight=0.25)
    found = diff(tmp_path, CHAIN, other)
    (change,) = found.changes
    assert (change.part, change.kind, change.path) == ("weight", "changed", "conv1_weight")
    assert change.values is not None
    assert change.values.absolute == pytest.approx(0.25)
    assert change.values.equal == pytest.approx(1 - 1 / 162)
    assert told(found)[0].startswith("~ weight conv1_weight: values differ by at most 0.25")
    assert found.same_weights == 2
    assert diff(tmp_path, CHAIN, other, atol=0.3).equal
    assert not diff(tmp_path, CHAIN, other, atol=0.2).equal
    quiet = diff(tmp_path, CHAIN, other, weights=False)
    assert quiet.equal
    assert quiet.same_weights is None
    assert "not compared" in str(quiet)


def test_missing_shape_dtype(tmp_path: Path) -> None:
    wide = CHAIN.replace("4, 6, 3, 3", "5, 6, 3, 3").replace("[0, 4]", "[0, 5]")
    found = diff(tmp_path, CHAIN, wide.replace("[N, 4]", "[N, 5]"))
    assert told(found) == [
        "~ output y: type f32[N, 4] → f32[N, 5]",
        "~ y: shape [N, 4] → [N, 5], result f32[N, 4] → f32[N, 5]",
        "~ weight conv2_weight: shape [4, 6, 3, 3] → [5, 6, 3, 3]",
    ]
    renamed = diff(tmp_path, CHAIN, CHAIN.replace("conv1_weight", "first_kernel"), weights=False)
    assert told(renamed) == ["> weight conv1_weight → first_kernel"]


def test_a_weight_is_known_by_its_numbers(tmp_path: Path) -> None:
    """A block more among blocks of one kind: names count on, numbers tell which is new."""
    line = "  r{0} = MatMul(r{1}, w{0})\n"

    def stack(order: list[int]) -> str:
        names = ", ".join(f"float[4, 4] w{i + 1}" for i in range(len(order)))
        body = "".join(line.format(i + 1, i) for i in range(len(order)))
        last = len(order)
        return f"f (float[N, 4] r0) => (float[N, 4] r{last}) <{names}> {{\n{body}}}"

    def filled(order: list[int]) -> nncomp.Diff:
        proto = model(stack(order))
        for tensor, number in zip(proto.graph.initializer, order, strict=True):
            array = np.random.default_rng(number).normal(size=(4, 4)).astype(np.float32)
            tensor.raw_data = array.tobytes()
        return proto

    found = diff(tmp_path, filled([1, 2, 3, 4, 5]), filled([1, 2, 9, 3, 4, 5]))
    assert told(found) == [
        "> output r5 → r6",
        "+ r3: MatMul(r2, w3) -> f32[N, 4]",
        "> 2 nodes numbered anew: r3 → r4, …",
        "+ weight w3: f32[4, 4]",
        "> 3 weights numbered anew: w3 → w4, …",
    ]


F32 = np.float32


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "expected"),
    [
        ([1, 2], [1, 2], Tolerance(), None),
        ([1, 2], [1, 3], Tolerance(), Values(1, 1 / 3, 0.5)),
        ([np.nan], [np.nan], Tolerance(), None),
        ([np.nan], [1], Tolerance(9, 9), Values(np.inf, np.inf, 0)),
        ([np.inf], [np.inf], Tolerance(), None),
        ([np.inf], [-np.inf], Tolerance(9, 9), Values(np.inf, np.inf, 0)),
        ([0.0], [-0.0], Tolerance(), None),
        ([0, 4], [1, 4], Tolerance(), Values(1, 1, 0.5)),
        ([100], [101], Tolerance(0, 0.01), None),
        ([100], [102], Tolerance(0, 0.01), Values(2, 2 / 102, 0)),
        ([], [], Tolerance(), None),
    ],
)
def test_values(
    a: list[float], b: list[float], tolerance: Tolerance, expected: Values | None
) -> None:
    found = compare_values(np.array(a, F32), np.array(b, F32), tolerance)
    assert found == expected


def test_tolerances_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = rng.normal(size=(2, 3)).astype(F32)
        tolerance = Tolerance(rng.random() * 0.5, rng.random() * 0.5)
        near = np.allclose(a.astype(float), b.astype(float), tolerance.rtol, tolerance.atol)
        assert (compare_values(a, b, tolerance) is None) == near


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.bool_, np.float16, ml_dtypes.bfloat16])
def test_values_of_all_dtypes(dtype: type) -> None:
    a: Array = np.array([1, 0, 1], dtype)
    assert compare_values(a, a.copy()) is None
    assert compare_values(a, np.array([1, 1, 1], dtype)) == Values(1, 1, 2 / 3)


def test_integers_that_floats_do_not_tell_apart() -> None:
    a = np.array([2**60, 5])
    assert compare_values(a, a + np.array([1, 0])) == Values(0, 0, 0.5)


def test_weights_are_held_one_by_one(tmp_path: Path) -> None:
    """Of 40 MB in each of two models, a tensor of 1 MB each is in memory at a time."""
    proto = model("f (float[N, 512] x) => (float[N, 512] y) { y = Identity(x) }")
    data, before = b"", "x"
    del proto.graph.node[:]
    for number in range(40):
        tensor = proto.graph.initializer.add(name=f"w{number}", data_type=1, dims=[512, 512])
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": "data", "offset": str(len(data)), "length": str(1 << 20)}
        tensor.external_data.extend(
            onnx.StringStringEntryProto(key=key, value=text) for key, text in place.items()
        )
        data += np.full(1 << 18, number, np.float32).tobytes()
        name = "y" if number == 39 else f"v{number}"
        proto.graph.node.add(op_type="MatMul", input=[before, f"w{number}"], output=[name])
        before = name
    (tmp_path / "data").write_bytes(data)
    del data
    path = written(tmp_path, "a", proto)
    nncomp.diff(path, path)  # what is made once
    tracemalloc.start()
    try:
        assert nncomp.diff(path, path).equal
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


def test_damaged_weights(tmp_path: Path) -> None:
    proto = model(CHAIN)
    proto.graph.initializer[0].raw_data = b"1234"
    path = written(tmp_path, "a", proto)
    with pytest.raises(CompileError, match="NN0801"):
        nncomp.diff(path, path)


@pytest.mark.parametrize("number", [-1.0, float("nan"), float("inf")])
def test_tolerances_are_numbers_from_0(tmp_path: Path, number: float) -> None:
    path = written(tmp_path, "a", CHAIN)
    for options in ({"atol": number}, {"rtol": number}):
        with pytest.raises(CompileError, match="NN0208"):
            nncomp.diff(path, path, **options)
