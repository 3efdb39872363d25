"""One run reports all errors that do not follow from each other, in the order of the source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncomp.cli import main
from nncomp.errors import MAX_ERRORS, CompileError
from nncomp.lower.program import lower
from nncomp.source import SourceFile


def found(text: str) -> list[tuple[str, int]]:
    """Code and line of each error."""
    with pytest.raises(CompileError) as caught:
        lower(SourceFile("t.nn", text))
    for diagnostic in caught.value.diagnostics:
        assert diagnostic.render() in str(caught.value)
    return [(d.code, d.span.line if d.span else 0) for d in caught.value.diagnostics]


SYNTAX = """from std import Conv
import
def foo(x):
    return x + 1

fn good(x) = x + 1

fn bad(x) {
  let y = x
  z = (a, b
  w = 3
  return z
}
model M {
  input x f32[N]
  y = x + x |> relu
  if y:
    z = 1
  else:
    z = 2
  s = 'abc'
  t = a && b || c
  u = f(a b)
  v = 99999999999999999999999999
  "doc
  output y
}
block X(a: int) { q = ; }
"""


def test_syntax() -> None:
    codes = "0101 0101 0101 0105 0101 0102 0101 0101 0101 0101 0005 0105 0101"
    lines = [2, 3, 9, 10, 15, 16, 17, 21, 22, 23, 24, 25, 28]
    assert found(SYNTAX) == [(f"NN{c}", line) for c, line in zip(codes.split(), lines, strict=True)]


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        # what follows from an error is not reported
        ("model M\n  input x: f32[2]\n  output x\n}\nx = ;", [("NN0101", 1), ("NN0101", 5)]),
        ("model M\n{\n  input x\n}\nx = ;", [("NN0101", 2), ("NN0101", 5)]),
        ("model M {\n  input x f32\n\nmodel P {\n  y = ;\n}\n", [("NN0105", 1)]),
        ("fn f(x) {\n  y = ;\n  if x {\n    z = 1\n}\n", [("NN0101", 2), ("NN0105", 3)]),
        ("fn f(x) {\n  y = a b }\nfn g(x) {\n  z = c d\n}", [("NN0101", 2), ("NN0101", 4)]),
        ('x = 1\ny = """a\nz = ;', [("NN0105", 2)]),
        ("fn f(x) = [x\n\nfn g(x) = 1", [("NN0105", 1)]),
        ("x = f(a]\ny = f(b))\nz = 1", [("NN0105", 1), ("NN0105", 2)]),
        ("x = 1 +\n2\ny = 3 4", [("NN0101", 1), ("NN0101", 3)]),
        ('"""a"""\nx = 1 2\n"""b"""\ny = 1\nfrom a import b', [("NN0101", 2), ("NN0106", 5)]),
        ("nn 3\nx = 1e999\nblock B(a) { }", [("NN0007", 1), ("NN0005", 2), ("NN0101", 3)]),
        ("fn f(x) {\n  y = scan over t = x { a b\n c d }\n}", [("NN0101", 2), ("NN0101", 3)]),
    ],
)
def test_syntax_errors_that_follow(text: str, errors: list[tuple[str, int]]) -> None:
    assert found(text) == errors


LOWERING = """from std import Convv, Linear
from std.optim import Adam
from nowhere import thing

K = 1 / 0
J = K + 1

block Part(n: int)(x: float[N, D]) {
  a = x + x[:, 1:]
  b = relux(x)
  c = a + b
  return c
}

fn good(x: float[N, D]) = x + missing

model M {
  input x: f32[N, 8]
  a = x |> Convv(3)
  for i in range(12) { b = x |> Part(i) }
  q = b + 1
  c = x |> Linear(widht=3)
  d = c.weight + a
  w = thing(x)
  e = good(x)
  f: float[N, 9] = x
  g = J + 1
  y = x[:, 99]
  output y
  entry one { output z = undefined1 + x + y[0] }
  train {
    input label: i64[N]
    metric accuracy = mean(argmax(x, axis=1) == labl)
    minimize cross_entropy(y, label) by Adam(lr="x")
  }
  entry two { output z = x @ x }
}
"""


def test_lowering() -> None:
    codes = "0006 0001 0211 0207 0103 0103 0202 0205 0210 0103 0103 0206"
    lines = [1, 3, 5, 9, 10, 15, 22, 26, 28, 30, 33, 36]
    errors = [(f"NN{c}", line) for c, line in zip(codes.split(), lines, strict=True)]
    assert found(LOWERING) == errors


@pytest.mark.parametrize(
    ("statements", "errors"),
    [
        ("input z: flaot[2]\noutput y = z + q", [("NN0103", 3)]),
        ("input z: flaot[k]\ns: float[_, k] = x\noutput y = x + 1", [("NN0103", 3)]),
        ("y = scan (h = nothing) over t = x { h = h + t }\noutput z = h", [("NN0103", 3)]),
        ("y = scan (h = 0.0) over t = x { h = h + u\n yield h }\noutput y", [("NN0103", 3)]),
        ("y = cond v { yield x } else { yield q }\noutput y", [("NN0103", 3)]),
        ("l = [1, relux(x)]\nl[0] = 2\noutput y = l[0]", [("NN0103", 3)]),
        ("a, (b, c) = 3\noutput y = a + b + c", [("NN0201", 3)]),
        ("if N > 3 { k = 1 } else { m = 2 }\noutput y = x * k * m", [("NN0206", 3)]),
        ("param w: float[q]\nupdate w = w + 1\noutput y = x * w", [("NN0103", 3)]),
        ("param w: float[4] = relux(2)\nupdate w = w + 1\noutput y = w", [("NN0103", 3)]),
        ("xs = [f(x) for i in range(3)]\nfor v in xs { y = v + r }\noutput y", [("NN0103", 3)]),
        ("for i in range(3) { x = x @ x }\noutput x\noutput z = 3", [("NN0206", 3), ("NN0201", 5)]),
        ("output y = f(x)\noutput z = g(x)", [("NN0103", 3), ("NN0103", 4)]),
        ("assert 1 > 2\noutput y = 3", [("NN0209", 3), ("NN0201", 4)]),
        ("return x\noutput y = 3", [("NN0106", 3), ("NN0201", 4)]),
    ],
)
def test_errors_that_follow(statements: str, errors: list[tuple[str, int]]) -> None:
    assert found(f"model M {{\n  input x: f32[N, 4]\n{statements}\n}}") == errors


def test_a_library_call_reports_one_error() -> None:
    """What fails inside the standard library is the caller's: once, at its line."""
    text = "from std import Conv\nmodel M {\n  input x: f32[N, 3, 8, 8]\n"
    text += "  a = x |> Conv(8, 3, groups=2)\n  b = x |> Conv(8, 99)\n  output y = a + b\n}"
    assert found(text) == [("NN0209", 4), ("NN0205", 5)]


def test_imported_files(tmp_path: Path) -> None:
    (tmp_path / "layers.nn").write_text("fn f(x) = y\nK = 1 / 0\nfn g(x) = K\n")
    (tmp_path / "broken.nn").write_text("fn f(x) = (\nfn g(x) = a b\n")
    text = "from layers import f, g\nfrom broken import h\nmodel M {\n  input x: f32[2]\n"
    text += "  a = f(x)\n  b = g(x)\n  c = h(x)\n  output y = relux(x)\n}"
    with pytest.raises(CompileError) as caught:
        lower(SourceFile(str(tmp_path / "m.nn"), text))
    places = [str(d.span).removeprefix(f"{tmp_path}/") for d in caught.value.diagnostics]
    assert places == ["layers.nn:1:11", "layers.nn:2:5", "broken.nn:1:11", "m.nn:8:14"]


def test_all_models_of_a_file_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.nn"
    good = "model B {\n  input x: f32[2]\n  output x\n}\n"
    bad = "model A {\n  output y = f(3)\n}\nmodel C {\n  output y = g(3)\n}\n"
    path.write_text(good + bad)
    assert main(["check", str(path), "--format", "json"]) == 1
    captured = capsys.readouterr()
    assert "B is fine" in captured.out
    assert [d["line"] for d in json.loads(captured.err)] == [6, 9]


def test_most_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.nn"
    path.write_text("model M {\n" + "  output y = f(3)\n" * 27 + "}\n")
    assert main(["check", str(path)]) == 1
    report = capsys.readouterr().err
    assert report.count("error[NN0103]") == 20
    assert report.endswith("… and 7 more\n")
    path.write_text("model M {\n" + "  y = a b\n" * 1000 + "}\n")
    assert main(["fmt", str(path), "--format", "json"]) == 1
    assert len(json.loads(capsys.readouterr().err)) == MAX_ERRORS
