"""`nncomp.Opaque`: operators of other domains, whose result types are stated."""

from __future__ import annotations

import pytest

from nncomp.ir.text import to_text
from tests.lower.programs import failure, program

CALL = 'nncomp.Opaque(x, operator="Foo", home="com.example", version=3, types={types})'


def model(types: str, more: str = "") -> str:
    call = CALL.format(types=types)
    return f"model M {{\n  input x: f32[N, 4]\n  y = {call}\n{more}  output y\n}}\n"


def test_types_of_results() -> None:
    graph = program(model('[(f32, ["N", 4])]', "  assert y.shape == x.shape\n")).graph
    assert graph.outputs["y"].type == graph.inputs[0].type
    assert to_text(program(to_text(graph).text).graph).text == to_text(graph).text


def test_operands_that_are_left_out() -> None:
    for given in ("x, none, x", "none, x", ""):
        call = CALL.format(types='[(f32, ["N", 4])]').replace("(x,", f"({given}," if given else "(")
        text = f"model M {{\n  input x: f32[N, 4]\n  y = {call}\n  output y\n}}\n"
        graph = program(text).graph
        (node,) = graph.nodes
        wanted = [None if part == "none" else graph.inputs[0] for part in given.split(", ") if part]
        assert list(node.inputs) == wanted
        assert to_text(program(to_text(graph).text).graph).text == to_text(graph).text


def test_a_name_that_has_no_value_is_a_size_of_its_own() -> None:
    graph = program(model('[(f32, ["K", 4])]', "  z = zeros([K])\n  output z\n")).graph
    assert graph.outputs["y"].shape[0] == graph.outputs["z"].shape[0]
    assert not graph.obligations


@pytest.mark.parametrize("types", ["f32", "[f32]", "[(f32, 3)]", '[(f32, ["a b"])]', "[(1, [2])]"])
def test_what_is_no_type(types: str) -> None:
    problem = failure(model(types))
    assert problem.code == "NN0201"
    assert "must be a type" in problem.message


def test_types_of_sequences_are_written_and_read() -> None:
    for kind, shown in (
        ('("sequence", f32, ["K", none])', "optional[sequence[f32[K, _]]]"),
        ('("sequence", i64, none)', "optional[sequence[i64[...]]]"),
        ("(f32, [3])", "optional[f32[3]]"),
    ):
        text = f"model M() {{\n  a = onnx.Optional(type={kind})\n"
        graph = program(text + "  output y = onnx.OptionalHasElement(a)\n}\n").graph
        assert str(graph.nodes[0].outputs[0].type) == shown
        assert to_text(program(to_text(graph).text).graph).text == to_text(graph).text
    assert failure('model M() { output y = onnx.Optional(type="sequence(f32)") }').code == "NN0201"
