"""No noise whatsoever may give a traceback. (Damaged programs: `tests/test_mutations.py`.)"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_mutations import survives

WORDS = """
    ( ) [ ] { } , : . ... ? = -> |> + - * / // % @ ** == < >= and or not in if else for as return
    yield assert input output param state update metric minimize over by when axis reverse while
    scan loop cond train entry model block fn optimizer from import nn 1 1e5 x N "a{b}" "a
    ' ; ! # true none \\ \0 \u00e9 \U0001f600 \ud800 "{
"""
PIECES = [*WORDS.split(), "\n", " ", "\n\n", "\t", "\r", '"' * 3, "9" * 40]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.sampled_from(["", " "]))
def test_noise_of_tokens(pieces: list[str], joint: str) -> None:
    survives(joint.join(pieces))
    survives("fn f(x) {\n" + joint.join(pieces) + "\n}")


@settings(max_examples=60)
@given(st.text())
def test_noise_of_characters(text: str) -> None:
    survives(text)
