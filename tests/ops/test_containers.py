"""Sequences and optional values as values of the graph: types, results, onnxruntime, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.backends.reference.interpreter import evaluate
from nncomp.errors import CompileError
from nncomp.ops.containers import ConcatFromSequence, SequenceAt, SplitToSequence
from nncomp.types import DType, OptionalType, SequenceType, TensorType
from tests.onnx_import.support import agrees, imported, in_numpy, normal, parsed, refused


def test_positions_that_only_the_run_knows() -> None:
    model = agrees(
        """
    f (float[2,3] x, float[2,5] y, int64 at) => (float[2,K] picked, float[2,J] joined, int64 n) {
      pair = SequenceConstruct(x, y)
      picked = SequenceAt(pair, at)
      three = SequenceInsert(pair, x, at)
      two = SequenceErase(three, at)
      joined = ConcatFromSequence<axis=1>(two)
      n = SequenceLength(three)
    }""",
        x=normal(2, 3),
        y=normal(2, 5),
        at=np.array(-1),
    )
    assert [str(value.type) for value in model.graph.outputs.values()] == [
        "f32[2, element_1]",
        "f32[2, joined]",
        "i64[]",
    ]


@pytest.mark.parametrize("split", [np.array(2), np.int64([1, 4])])
def test_parts_whose_sizes_only_the_run_knows(split: np.ndarray) -> None:  # type: ignore[type-arg]
    shape = "[2]" if split.ndim else ""
    agrees(
        f"""
    f (float[5,3] x, int64{shape} split) => (float[5,3] y, int64 n) {{
      parts = SplitToSequence<axis=0>(x, split)
      y = ConcatFromSequence<axis=0>(parts)
      n = SequenceLength(parts)
    }}""",
        x=normal(5, 3),
        split=split,
    )


COLLECTED = """
f (float[3] x, int64 n) => (float[K,3] y) {
  none = SequenceEmpty()
  all = Loop(n, , none) <body = body (int64 i, bool on, seq(float[3]) before)
    => (bool still, seq(float[3]) after) {
      one = CastLike(i, x)
      row = Add(x, one)
      still = Identity(on)
      after = SequenceInsert(before, row)
  }>
  y = ConcatFromSequence<axis=0, new_axis=1>(all)
}"""


def test_a_loop_that_collects() -> None:
    agrees(COLLECTED, x=normal(3), n=np.array(4))


def test_a_branch_that_gives_a_sequence() -> None:
    text = """
    f (float[2] x, bool c) => (int64 n) {
      s = If(c) <then_branch = a () => (seq(float) t) { t = SequenceConstruct(x, x) },
        else_branch = b () => (seq(float) e) { e = SequenceEmpty() }>
      n = SequenceLength(s)
    }"""
    for truth in (True, False):
        agrees(text, x=normal(2), c=np.array(truth))


MAPPED = """
f (seq(float[N]) xs, float[1] y) => (seq(float[N]) zs) {
  zs = SequenceMap(xs, y) <body = b (float[N] x, float[1] y) => (float[N] z) { z = Add(x, y) }>
}"""


def test_sequences_from_outside() -> None:
    model = imported(MAPPED)
    xs = [normal(3), normal(5)]
    (found,) = in_numpy(model, xs=xs, y=np.float32([2])).values()
    for x, z in zip(xs, found, strict=True):
        np.testing.assert_array_equal(z, x + 2)
    assert in_numpy(model, xs=[], y=np.float32([2])) == {"zs": []}
    for wrong, words in (
        (normal(3), "a list of arrays"),
        ([normal(3, 4)], "element 0"),
        ([np.int64([1])], "element 0 is int64"),
    ):
        with pytest.raises(CompileError, match=words) as failure:
            in_numpy(model, xs=wrong, y=np.float32([2]))
        assert failure.value.diagnostics[0].code == "NN0503"


OPTIONAL = """
f (optional(float[4]) x, float[4] y) => (float[4] z, bool has) {
  has = OptionalHasElement(x)
  z = If(has) <then_branch = a () => (float[4] t) { t = OptionalGetElement(x) },
    else_branch = b () => (float[4] e) { e = Identity(y) }>
}"""


def test_optional_values_from_outside() -> None:
    model = imported(parsed(OPTIONAL, 18))
    there, other = normal(4), -normal(4)
    np.testing.assert_array_equal(in_numpy(model, x=there, y=other)["z"], there)
    found = in_numpy(model, x=None, y=other)
    np.testing.assert_array_equal(found["z"], other)
    assert not found["has"]


def test_built_models_say_their_types(tmp_path: Path) -> None:
    path = tmp_path / "mapped.onnx"
    onnx.save(parsed(MAPPED), path)
    nncomp.load(path).build(tmp_path / "built.onnx")
    built = onnx.load(tmp_path / "built.onnx")
    onnx.checker.check_model(built, full_check=True)
    (info,) = built.graph.output
    assert info.type.sequence_type.elem_type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    again = nncomp.load(tmp_path / "built.onnx")
    (found,) = again.run({"xs": [normal(3)], "y": np.float32([1])}, backend="numpy").values()
    np.testing.assert_array_equal(found[0], normal(3) + 1)


def test_no_gradient_goes_through_sequences(tmp_path: Path) -> None:
    text = """
    f (float[3] x, int64 i) => (float loss) {
      s = SequenceConstruct(x, x)
      y = SequenceAt(s, i)
      loss = ReduceSum<keepdims=0>(y)
    }"""
    path = tmp_path / "picked.onnx"
    onnx.save(parsed(text), path)
    with pytest.raises(CompileError, match="no gradient goes through sequences") as failure:
        nncomp.grad(nncomp.load(path), ["x"])
    assert failure.value.diagnostics[0].code == "NN0401"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("f (seq(float[N]) x) => (float[N] y) { y = Relu(x) }", "NN0203"),
        ("f (seq(float[N]) x, float[N] z) => (float[N] y) { y = SequenceAt(x, z) }", "NN0203"),
        ("f (seq(float[]) x, int64 i) => (float[N] y) { y = SequenceAt(x, i) }", "NN0204"),
        (
            "f (seq(float) x, int64[2] z) => (seq(float) y) { y = SequenceInsert(x, z) }",
            "NN0203",
        ),
        ("f (optional(float[N]) x) => (float[N] y) { y = Neg(x) }", "NN0203"),
        ("f (float[N] x) => (int64 n) { s = SequenceConstruct(x, n)  n = Size(x) }", "NN0203"),
    ],
)
def test_refusals(text: str, code: str) -> None:
    assert refused(text).code == code


def test_types() -> None:
    t, other = TensorType(DType.F32, (2, 3)), TensorType(DType.F32, (2, 4))
    both = SequenceType.of(t).joined(other)
    assert str(both) == "sequence[f32[2, _]]"
    assert str(SequenceAt().infer(both, TensorType(DType.I64, ()))) == "f32[2, element_1]"
    assert SequenceType(DType.F32, empty=True).joined(t) == SequenceType.of(t)
    assert str(both.joined(TensorType(DType.F32, (2,)))) == "sequence[f32[...]]"
    assert str(OptionalType.of(both)) == "optional[sequence[f32[2, _]]]"
    assert ConcatFromSequence(-1, 1).infer(both).rank == 3
    two = TensorType(DType.I64, (), elements=(2,))
    split = SplitToSequence(1).infer(TensorType(DType.F32, (2, 6)), two)
    assert split == SequenceType(DType.F32, sizes=(2, 2))


def test_positions_out_of_range() -> None:
    with pytest.raises(CompileError, match="position 2 is not in a sequence of 1"):
        evaluate(SequenceAt(), [[normal(3)], np.array(2)])  # type: ignore[list-item]
