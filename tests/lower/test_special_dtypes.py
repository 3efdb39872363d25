"""Strings and narrow numbers in the language: constants, casts, refusals, the text form."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import run
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.lower.program import lower
from nncomp.source import SourceFile
from nncomp.types import NARROW


def lowered(body: str) -> Graph:
    return lower(SourceFile("special.nn", f"model M {{\n{body}\n}}\n")).graph


TEXTS = """
  input x: string[N]
  output greeting = onnx.StringConcat(string("dear "), x)
  output known = onnx.Equal(x, string(["Ada", "{1 + 1}"]))
"""


def test_strings() -> None:
    graph = lowered(TEXTS.replace("string[N]", "string[2]"))
    found = run(graph, {"x": np.array(["Ada", "3"])}).outputs
    assert found["greeting"].tolist() == ["dear Ada", "dear 3"]
    assert found["known"].tolist() == [True, False]
    again = lower(SourceFile("again.nn", to_text(graph).text)).graph
    outputs = run(again, {"x": np.array(["2", "2"])}).outputs
    assert outputs["known"].tolist() == [False, True]


@pytest.mark.parametrize("dtype", sorted(NARROW, key=str), ids=str)
def test_narrow_numbers(dtype: object) -> None:
    graph = lowered(f"""
  input x: f32[2]
  output a = cast(cast(x, {dtype}), f32)
  output b = cast({dtype}([1, 1]), f32)
""")
    outputs = run(graph, {"x": np.float32([1, 1])}).outputs
    np.testing.assert_array_equal(outputs["a"], [1, 1])
    again = lower(SourceFile("again.nn", to_text(graph).text)).graph
    found = run(again, {"x": np.float32([1, 1])}).outputs
    for name, array in outputs.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("input x: string[2]\noutput y = x + x", "NN0203"),
        ("input x: i4[2]\noutput y = x * x", "NN0203"),
        ("input x: f8e5m2[2]\noutput y = relu(x)", "NN0203"),
        ("output y = i4(9)", "NN0005"),
        ("output y = u2(0.5)", "NN0203"),
        ("output y = f4e2m1(7)", "NN0005"),
        ("output y = string(3)", "NN0201"),
        ('output y = f32("a")', "NN0201"),
    ],
)
def test_refusals(body: str, code: str) -> None:
    with pytest.raises(CompileError) as failure:
        lowered(body)
    assert failure.value.diagnostics[0].code == code
