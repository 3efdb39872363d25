"""`format_source`: golden pairs, meaning kept, and a second run that changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncomp.errors import CompileError
from nncomp.source import SourceFile
from nncomp.syntax import ast_equal, format_source, parse

FOLDERS = ("nncomp/std", "models", "examples")
PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.nn"))
ROOT = Path(__file__).parents[2]
OURS = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.nn"))
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.in.nn"))


def check(text: str) -> str:
    """Format; the meaning stays, and so does the text the second time."""
    source = SourceFile("t.nn", text)
    result = format_source(source)
    assert ast_equal(parse(source), parse(SourceFile("t.nn", result)))
    assert format_source(SourceFile("t.nn", result)) == result
    assert all(line == line.rstrip() for line in result.splitlines())
    return result


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_programs(path: Path) -> None:
    check(path.read_text())


@pytest.mark.parametrize("path", OURS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_our_own_programs_are_in_canonical_layout(path: Path) -> None:
    text = path.read_text("utf-8")
    assert check(text) == text, f"run `nncomp fmt {path.relative_to(ROOT)}`"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.name)
def test_golden(path: Path) -> None:
    expected = path.with_name(path.name.replace(".in.nn", ".out.nn")).read_text()
    assert check(path.read_text()) == expected
    assert check(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n\n# a\n\n\n\n# b", "# a\n\n# b\n"),
        ("\ufeffx=1", "x = 1\n"),
        ("x=1\r\n\r\n\r\n\r\ny=2\r\n", "x = 1\n\ny = 2\n"),
        ("x=1#c", "x = 1  # c\n".replace("# c", "#c")),
        ("x=-a+-b**- c", "x = -a + -b ** -c\n"),
        ("x=f ( a,k = 1,S ... )", "x = f(a, k=1, S...)\n"),
        ("x=y [ 1 : , : : 2,... ]", "x = y[1:, ::2, ...]\n"),
        ("x=(a,)", "x = (a,)\n"),
        ("x=((a)+(b))", "x = ((a) + (b))\n"),
        ("x=1 .a", "x = 1 .a\n"),
        ("x=[a for(b,c)in d if e]", "x = [a for (b, c) in d if e]\n"),
        ("fn f(x:int=1,y=2)->float [N] ?=x", "fn f(x: int = 1, y=2) -> float[N]? = x\n"),
        ("fn f(x){ }", "fn f(x) { }\n"),
        ("fn f(x){\n}", "fn f(x) { }\n"),
        ("fn f(x){\n# c\n}", "fn f(x) {\n  # c\n}\n"),
        ("fn f(x){return x}", "fn f(x) { return x }\n"),
        ("fn f(x){\n\n\nreturn x\n\n}", "fn f(x) {\n  return x\n}\n"),
        ("x=a\n|>f\n\n|>g", "x = a\n  |> f\n  |> g\n"),
        ("x=f(\na,\nb)", "x = f(a, b)\n"),
        ("x=f(a, # c\nb)", "x = f(a,  # c\n  b)\n"),
        ("x=a # c\n# d\n|> f", "x = a  # c\n  # d\n  |> f\n"),
    ],
)
def test_spacing(text: str, expected: str) -> None:
    assert check(text) == expected


def test_long_lines_fit_where_they_can() -> None:
    words = ", ".join(f"argument_{i}=[{i}, {i}]" for i in range(12))
    pipes = " |> ".join(f"layer_number_{i}({i}, pad={i})" for i in range(12))
    text = f"x = f({words}) + g({words})\ny = z |> {pipes}\nw = g(x |> {pipes}, f({words}))\n"
    result = check(text)
    assert max(map(len, result.splitlines())) <= 100


def test_every_comment_is_kept_anywhere() -> None:
    text = (Path(__file__).parent / "programs" / "everything.nn").read_text()
    lines = text.splitlines()
    plain = parse(SourceFile("t.nn", text))
    for own_line in (True, False):
        commented = []
        for i, line in enumerate(lines):
            if own_line and i:
                commented.append(f"  # own {i}")
            commented.append(line if own_line else f"{line} # trailing {i}")
        changed = "\n".join(commented)
        result = check(changed)
        assert result.count("#") == changed.count("#")
        assert ast_equal(plain, parse(SourceFile("t.nn", result)))


def test_a_text_with_errors_is_not_touched() -> None:
    with pytest.raises(CompileError):
        format_source(SourceFile("t.nn", "x = ("))
