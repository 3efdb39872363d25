"""Sequences in the language: their types, elements, lengths and carries."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import run
from nncomp.driver.running import open_session
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.types import Array, tensors_of
from tests.lower.programs import failure, program

XS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((1, 3), np.float32)]
DOUBLED = """model Doubled {
  input xs: sequence[f32[_, 3]]
  n = len(xs)
  ys, i = loop (ys: sequence[f32[_, 3]] = onnx.SequenceEmpty(dtype=f32), i=0) while i < n {
    ys = onnx.SequenceInsert(ys, xs[i] * 2.0)
    i = i + 1
  }
  output ys
  output last = ys[-1]
}
"""


def both(graph: Graph, inputs: dict[str, object]) -> dict[str, Array]:
    """The tensors of the outputs, the same by NumPy and by onnxruntime."""
    found = tensors_of(run(graph, inputs).outputs)
    other = tensors_of(open_session(graph, optimize=False).run(inputs))
    assert found.keys() == other.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, other[name])
    return found


def test_elements_and_length() -> None:
    graph = program(
        "fn first(xs: sequence[float[_, 3]]) = xs[0]\n"
        "model M {\n  input xs: sequence[f32[_, 3]]\n  input i: i64[]\n"
        "  output y = xs[i] * 2.0\n  output z = first(xs)\n  output n = len(xs)\n}\n"
    ).graph
    assert str(graph.inputs[0].type) == "sequence[f32[_, 3]]"
    found = both(graph, {"xs": XS, "i": np.int64(-1)})
    np.testing.assert_array_equal(found["y"], XS[1] * 2)
    np.testing.assert_array_equal(found["z"], XS[0])
    assert found["n"] == 2


def test_a_loop_makes_a_sequence() -> None:
    graph = program(DOUBLED).graph
    found = both(graph, {"xs": XS})
    assert [*found] == ["ys.0", "ys.1", "last"]
    np.testing.assert_array_equal(found["ys.0"], XS[0] * 2)
    text = to_text(graph).text
    assert to_text(program(text).graph).text == text
    assert tensors_of(run(graph, {"xs": XS[:1]}).outputs).keys() == {"ys.0", "last"}


@pytest.mark.parametrize(
    ("type_", "code", "said"),
    [
        ("sequence", "NN0103", "`sequence` is no type"),
        ("sequence[]", "NN0103", "is no type"),
        ("sequence[3]", "NN0103", "is no type"),
        ("sequence[f32]", "NN0201", "`f32` alone is no type"),
        ("sequence[foo[_]]", "NN0103", "there is no dtype `foo`"),
        ("sequence[sequence[f32[_]]]", "NN0103", "there is no dtype `sequence`"),
        ("sequence[f32[N]]", "NN0206", "`N` is no one size"),
        ("sequence[f32[_, -1]]", "NN0205", "cannot be negative"),
        ("sequence[f32[2, ...]]", "NN0206", "spliced"),
    ],
)
def test_types_that_are_none(type_: str, code: str, said: str) -> None:
    problem = failure(f"model M {{\n  input xs: {type_}\n  output n = len(xs)\n}}\n")
    assert problem.code == code
    assert said in problem.message
    assert problem.span is not None


def test_sizes_that_only_a_run_knows_are_no_part_of_an_input_s_type() -> None:
    text = "model M {\n  input x: f32[N]\n  input xs: sequence[f32[N]]\n  output n = len(xs)\n}\n"
    assert failure(text).code == "NN0206"


@pytest.mark.parametrize(
    ("expression", "code", "said"),
    [
        ("xs.shape", "NN0201", "has no shape"),
        ("xs[0, 1]", "NN0201", "by one integer"),
        ("xs[1.5]", "NN0201", "by one integer"),
        ("xs[0:1]", "NN0201", "by one integer"),
        ("xs + 1.0", "NN0203", "Add takes tensors"),
        ("relu(xs)", "NN0201", "must be a tensor"),
        ("wide(xs)", "NN0205", "must be `sequence[f32[_, 4]]`"),
        ("flat(xs)", "NN0204", "must be `sequence[f32[_]]`"),
        ("whole(xs)", "NN0203", "must be `sequence[i64[_, 3]]`"),
        ("wide(xs[0])", "NN0201", "must be a sequence"),
    ],
)
def test_misuses(expression: str, code: str, said: str) -> None:
    problem = failure(
        "fn wide(xs: sequence[f32[_, 4]]) = xs[0]\nfn flat(xs: sequence[f32[_]]) = xs[0]\n"
        "fn whole(xs: sequence[i64[_, 3]]) = xs[0]\n"
        f"model M {{\n  input xs: sequence[f32[_, 3]]\n  output y = {expression}\n}}\n"
    )
    assert problem.code == code
    assert said in problem.message


@pytest.mark.parametrize(
    ("before", "after", "help_"),
    [
        ("ys: sequence[f32[_, 3]] =", "ys =", "`sequence[f32[_, 3]]`"),
        ("ys: sequence[f32[_, 3]]", "ys: sequence[f32[_, 4]]", "`sequence[f32[_, _]]`"),
    ],
)
def test_a_carry_keeps_its_type(before: str, after: str, help_: str) -> None:
    problem = failure(DOUBLED.replace(before, after))
    assert problem.code == "NN0320"
    assert problem.help is not None
    assert help_ in problem.help


def test_what_is_given() -> None:
    graph = program(DOUBLED).graph
    session = open_session(graph)
    for wrong, said in (
        (XS[0], "a list of arrays"),
        ([XS[0], np.ones((2, 4), np.float32)], "element 1 is f32[2, 4]"),
        ([XS[0].astype(np.float64)], "element 0 is f64[2, 3]"),
    ):
        with pytest.raises(Exception, match="NN0503") as failed:
            session.run({"xs": wrong})
        assert said in str(failed.value)
