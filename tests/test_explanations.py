"""Examples of `nncomp explain CODE`: what is wrong gives the code, what is right compiles."""

from __future__ import annotations

import re
import textwrap

import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.codes import CODES
from nncomp.errors import CompileError
from nncomp.explanations import explanations
from nncomp.lower.program import Program, lower
from nncomp.source import SourceFile

EXAMPLES = [
    (code, wrong, right)
    for code, body in explanations().items()
    for wrong, right in re.findall(r"^Wrong:\n\n(.*?)^Right:\n\n(.*)\Z", body + "\n", re.M | re.S)
]


HEAD = "from std import Linear, Conv\nfrom std.optim import SGD\n"


def _program(example: str) -> Program:
    """Declarations and imports stand before the model, statements in it."""
    statements = textwrap.dedent(example)
    declared = re.findall(
        r"^(?:fn .*\n|from .*\n|block [^\n]*\{\n(?:.*\n)*?\}\n|block .*\n)", statements, re.M
    )
    for text in declared:
        statements = statements.replace(text, "")
    text = "".join(declared) if "from " in example else HEAD + "".join(declared)
    text += f"model M {{\n  input x: f32[N, 3, 8, 10]\n{statements}\n"
    text += "}\n" if re.search(r"^output", statements, re.M) else "  output result = x\n}\n"
    program = lower(SourceFile("example.nn", text))
    expand_gradients(program.graph)
    return program


def _codes(example: str) -> list[str]:
    try:
        return [warning.code for warning in _program(example).warnings]
    except CompileError as failure:
        return [diagnostic.code for diagnostic in failure.diagnostics]


def test_the_codes_exist_and_most_have_an_example() -> None:
    assert set(explanations()) <= set(CODES)
    assert len(EXAMPLES) >= 25


@pytest.mark.parametrize(("code", "wrong", "right"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_example(code: str, wrong: str, right: str) -> None:
    assert _codes(wrong) == [code]
    assert _codes(right) == []
