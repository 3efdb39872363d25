"""Sizes that only a run knows, in the text of graphs and in the language."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import run
from nncomp.driver.running import open_session
from nncomp.errors import CompileError
from nncomp.ir.text import to_text
from tests.lower.programs import failure, program

CLAIM = """model M {
  input n: i64[]
  input x: f32[K]
  r: i64[K] = onnx.Range(i64(0), n, i64(1))
  output y = cast(r, f32) + x
}
"""


def test_a_size_that_something_else_names() -> None:
    graph = program(
        "model M {\n  input x: f32[N]\n  r = onnx.NonZero(x)\n"
        "  output y = cast(r[0], f32) + zeros([r.shape[1]])\n}\n"
    ).graph
    text = to_text(graph).text
    assert "r: i64[1, found] = onnx.NonZero(x)" in text
    again = program(text).graph
    assert to_text(again).text == text
    x = np.array([0, 2, 3], np.float32)
    np.testing.assert_array_equal(run(again, {"x": x}).outputs["y"], [1, 2])


def test_a_size_that_nothing_else_names() -> None:
    graph = program("model M {\n  input x: f32[N]\n  output r = onnx.NonZero(x)\n}\n").graph
    assert "  r = onnx.NonZero(x)\n" in to_text(graph).text


@pytest.mark.parametrize("n", [1, 3, 4])
def test_a_claim_is_checked_by_the_run(n: int) -> None:
    """Also where the sum would have taken one number for all."""
    graph = program(CLAIM).graph
    inputs = {"n": np.int64(n), "x": np.ones(3, np.float32)}
    for answer in (lambda: run(graph, inputs).outputs, lambda: open_session(graph).run(inputs)):
        if n == 3:
            np.testing.assert_array_equal(answer()["y"], [1, 2, 3])
            continue
        with pytest.raises(CompileError, match=r"(?i)reshape"):
            answer()


def test_the_claim_is_part_of_the_text() -> None:
    text = to_text(program(CLAIM).graph).text
    assert to_text(program(text).graph).text == text


def test_one_size_of_a_tensor_can_be_claimed() -> None:
    """Two could hide a transposition: a Reshape compares numbers of elements."""
    problem = failure(
        "model M {\n  input n: i64[2]\n  input x: f32[A, B]\n"
        "  z: f32[A, B] = onnx.ConstantOfShape(n)\n  output y = x + z\n}\n"
    )
    assert problem.code == "NN0206"
    assert "is not known while compiling" in problem.message
