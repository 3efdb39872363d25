"""No input whatsoever may give a traceback: programs with random damage, and noise."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncomp.errors import CompileError
from nncomp.source import SourceFile
from nncomp.syntax import ast_equal, format_source, parse

TEXTS = [p.read_text() for p in sorted((Path(__file__).parent / "programs").glob("*.nn"))]
WORDS = """
    ( ) [ ] { } , : . ... ? = -> |> + - * / // % @ ** == < >= and or not in if else for as return
    yield assert input output param state update metric minimize over by when axis reverse while
    scan loop cond train entry model block fn optimizer from import nn 1 1e5 x N "a{b}" "a
    ' ; ! # true none \\ \0 \u00e9 \U0001f600 \ud800 "{
"""
PIECES = [*WORDS.split(), "\n", " ", "\n\n", "\t", "\r", '"' * 3, "9" * 40]

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(text: str) -> None:
    """It parses, and then formats to the same meaning; or it is refused, with a place."""
    source = SourceFile("t.nn", text)
    try:
        tree = parse(source)
    except CompileError as problem:
        for diagnostic in problem.diagnostics:
            assert diagnostic.span is not None
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text) + 1
            assert diagnostic.render()
        return
    result = format_source(source)
    assert ast_equal(tree, parse(SourceFile("t.nn", result)))
    assert format_source(SourceFile("t.nn", result)) == result


edit = st.tuples(st.integers(0, 10**6), st.integers(0, 6), st.sampled_from(["", *PIECES]))


@settings(relaxed, max_examples=150)
@given(st.sampled_from(TEXTS), st.lists(edit, min_size=1, max_size=3))
def test_damaged_programs(text: str, edits: list[tuple[int, int, str]]) -> None:
    for place, length, piece in edits:
        at = place % (len(text) + 1)
        text = text[:at] + piece + text[at + length :]
    survives(text)


@settings(relaxed, max_examples=100)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.sampled_from(["", " "]))
def test_noise_of_tokens(pieces: list[str], joint: str) -> None:
    survives(joint.join(pieces))
    survives("fn f(x) {\n" + joint.join(pieces) + "\n}")


@settings(relaxed, max_examples=60)
@given(st.text())
def test_noise_of_characters(text: str) -> None:
    survives(text)
