"""What the parser says of texts that it cannot read: code, place and words."""

from __future__ import annotations

import pytest

from nncomp.errors import CompileError, Diagnostic
from nncomp.source import SourceFile
from nncomp.syntax import parse


def diagnostic(text: str) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        parse(SourceFile("t.nn", text))
    [found] = caught.value.diagnostics
    assert found.span is not None
    return found


# A statement (put into a body from line 2 column 1), code, line, column, and a part of the report.
IN_BODY = [
    # pipes
    ("y = x + x |> f", "NN0102", 2, 5, "write `(x + x) |> …`"),
    ("y = -x |> f", "NN0102", 2, 5, "needs brackets"),
    ("y = not x |> f", "NN0102", 2, 5, "needs brackets"),
    ("y = x |> f + 1", "NN0102", 2, 12, "write `(x |> f) + …`"),
    ("y = x |> f as g == 1", "NN0102", 2, 17, "a pipe to the left of `==`"),
    ("y = x |> 3", "NN0101", 2, 10, "passed to a function or a layer"),
    # other languages
    ("if x:\n  y = 1", "NN0101", 2, 5, "a body stands in `{ }`"),
    ("for x in y:\n  z = 1", "NN0101", 2, 11, "a body stands in `{ }`"),
    ("if x\n{ y = 1 }", "NN0101", 3, 1, "stands on the line that it belongs to"),
    ("def foo(x):", "NN0101", 2, 1, "there is no `def` statement"),
    ("let x = 1", "NN0101", 2, 1, "write `name = value`"),
    ("while x { }", "NN0101", 2, 1, "loop"),
    ("print(x)", "NN0101", 2, 1, "an `output` or a `metric`"),
    ("if a { }\nelif b { }", "NN0101", 3, 1, "write `else if`"),
    ("x = 1;", "NN0101", 2, 6, "there is no `;`"),
    ("x = a && b", "NN0101", 2, 7, "write `and`"),
    ("x = a || b", "NN0101", 2, 7, "write `or`"),
    ("x = !a", "NN0101", 2, 5, "write `not`"),
    ("x = a ^ 2", "NN0101", 2, 7, "write `**`"),
    ("x = f(True)", "NN0101", 2, 7, "write `true`"),
    ("x = None", "NN0101", 2, 5, "write `none`"),
    ("x = 'a'", "NN0101", 2, 5, "double quotes"),
    ("x = a \\\n + b", "NN0101", 2, 7, "start the next line with the operator"),
    ("x++", "NN0101", 2, 2, "there is no `++`"),
    ("x = y++", "NN0101", 2, 6, "there is no `++`"),
    ("x += 1", "NN0101", 2, 3, "write `x = x + …`"),
    ("x => y", "NN0101", 2, 3, "`=>` has no meaning"),
    ("x = y -> z", "NN0101", 2, 7, "before the result type"),
    # statements
    ("f(x)", "NN0101", 2, 1, "there are no expression statements"),
    ("x + y", "NN0101", 2, 1, "write `name = …`"),
    ("x |> f", "NN0101", 2, 1, "there are no expression statements"),
    ("x", "NN0101", 2, 1, "there are no expression statements"),
    ("1 + 2", "NN0101", 2, 1, "there are no expression statements"),
    ("x.y = 3", "NN0101", 2, 1, "a member of a value cannot be assigned"),
    ("inptu x: f32[N]", "NN0101", 2, 1, "did you mean `input`?"),
    ("x 1", "NN0101", 2, 3, "`1` does not fit after `x`"),
    ("import foo", "NN0106", 2, 1, "stands at the top of a file"),
    ("block X()() { }", "NN0106", 2, 1, "a block stands at the top of a file"),
    ('"""doc"""\nx = 1', "NN0106", 2, 1, "describes nothing"),
    ("input x", "NN0101", 2, 8, "expected `:`"),
    ("param x = 3", "NN0101", 2, 9, "expected `:`"),
    ("minimize x", "NN0101", 2, 11, "expected `by` or `over`"),
    ("return", "NN0101", 2, 7, "expected a value"),
    ("x = ", "NN0101", 2, 4, "the end of the line does not fit here"),
    ("x: = 3", "NN0101", 2, 4, "expected a name"),
    ("for x of y { }", "NN0101", 2, 7, "`in`"),
    ("x = f(a) y = 2", "NN0101", 2, 10, "expected an operator"),
    # expressions
    ("x = a < b < c", "NN0101", 2, 11, "write `a < b and b < c`"),
    ("x = 1 +\n2", "NN0101", 2, 7, "start the next line with `+`"),
    ("x = a if b", "NN0101", 2, 7, "this choice has no `else`"),
    ("x = f(a b)", "NN0101", 2, 9, "a `,` is missing before this"),
    ("x = [1 2]", "NN0101", 2, 8, "a `,` is missing before this"),
    ("x = 12abc", "NN0101", 2, 5, "neither a number nor a name"),
    ("x = a $ b", "NN0101", 2, 7, "U+0024"),
    ("x = \u00e9", "NN0101", 2, 5, "letters a-z"),
    ("x = a\u00a0+ b", "NN0101", 2, 6, "U+00A0"),
    ("x = a\0", "NN0101", 2, 6, "U+0000"),
    # brackets and strings
    ("x = (a, b", "NN0105", 2, 5, "`)` is missing"),
    ("x = f(a]", "NN0105", 2, 6, "`]` comes first"),
    ("x = f(a))", "NN0105", 2, 9, "closes nothing"),
    ("x = f(\n a\nreturn x)", "NN0105", 2, 6, "not closed before the next statement"),
    ("  if x {\n    y = 1", "NN0105", 2, 8, "`}` is missing"),
    ('x = "abc', "NN0105", 2, 5, "not closed on its line"),
    ('x = """abc', "NN0105", 2, 5, '`"""` is missing'),
    ('x = "a{b"', "NN0105", 2, 7, "write `{{`"),
    ('x = "a}"', "NN0101", 2, 7, "write `}}`"),
    ('x = "a{}"', "NN0101", 2, 7, "hold no expression"),
    ('x = "a{b c}"', "NN0101", 2, 10, "`c` does not fit here"),
    ('x = "{y |> }"', "NN0101", 2, 11, "expected a value"),
    ('x = "a\\q"', "NN0101", 2, 7, "means nothing in a string"),
    ('x = "\\ud800"', "NN0101", 2, 6, "is no character"),
    # numbers
    ("x = 9223372036854775808", "NN0005", 2, 5, "too large"),
    ("x = " + "9" * 5000, "NN0005", 2, 5, "too large"),
    ("x = 1e999", "NN0005", 2, 5, "too large"),
]

# A whole file.
FILES = [
    ("block X(a: int) { }", "NN0101", 1, 7, "write `block X()(…)`"),
    ("block M()(b) = 3", "NN0101", 1, 14, "expected `->` or `{`"),
    ("model { }", "NN0101", 1, 7, "expected a name"),
    ("model M\n{\n}", "NN0101", 2, 1, "move it to the end of the line before"),
    ("model M { } import x", "NN0101", 1, 13, "expected the end of the line"),
    ("return 3", "NN0106", 1, 1, "in the body"),
    ("input x: f32", "NN0106", 1, 1, "not at the top"),
    ("x = 1\nfrom a import b", "NN0106", 2, 1, "before the declarations"),
    ("nn 2", "NN0007", 1, 1, "version 2"),
    ("x = 1\n}", "NN0105", 2, 1, "closes nothing"),
    ("x = (", "NN0105", 1, 5, "the file ends without a `)`"),
    ("x = 1 +", "NN0101", 1, 8, "the end of the file does not fit here"),
    ("from std import", "NN0101", 1, 16, "expected a name or `(`"),
    ("from std.optim import *", "NN0101", 1, 23, "`from std.optim import Name, other`"),
    ('"""a"""\n"""b"""\n"""c"""\nx = 1', "NN0106", 2, 1, "describes nothing"),
    ('x = 1\n"""b"""', "NN0106", 2, 1, "no declaration follows"),
]


def check(text: str, code: str, line: int, column: int, part: str) -> None:
    found = diagnostic(text)
    assert found.span is not None
    position = found.span.source.position(found.span.start)
    report = found.render()
    assert (found.code, position, part in report) == (code, (line, column), True), report


@pytest.mark.parametrize(("text", "code", "line", "column", "part"), IN_BODY)
def test_statement(text: str, code: str, line: int, column: int, part: str) -> None:
    check(f"fn f(x) {{\n{text}\n}}", code, line, column, part)


@pytest.mark.parametrize(("text", "code", "line", "column", "part"), FILES)
def test_file(text: str, code: str, line: int, column: int, part: str) -> None:
    check(text, code, line, column, part)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10**6,
        "x = " + "[" * 65 + "]" * 65,
        "fn f(x) {" + "if x {" * 64 + "}" * 65,
        "x = " + "-" * 10**4 + "1",
        "x = 1" + " ** 1" * 10**4,
        "x = 1" + " + 1" * 10**4,
        "x = a" + " if b else c" * 10**4,
        "x = a" + " |> f" * 10**4,
        "x = a" + ".b" * 10**4,
        "fn f(x) { if a { }" + " else if a { }" * 10**4 + "}",
    ],
    ids=lambda text: text[:12],
)
def test_depth_is_bounded(text: str) -> None:
    assert diagnostic(text).code == "NN0003"
