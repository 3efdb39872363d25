"""Broken programs: code, line, and the facts that the message must hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncomp.errors import CompileError
from nncomp.lower.modules import read_source
from nncomp.lower.program import lower
from tests.lower.programs import failure

HEAD = "from std import BatchNorm, Conv, Linear\nfrom std.optim import Adam\n"


def model(statements: str) -> str:
    return f"{HEAD}model M {{\n  input x: f32[N, 3, 8, 10]\n{statements}\n}}\n"


# statements from line 5 on; code; line; what the rendered text must hold
CASES = [
    ("  output y = relux(x)", "NN0103", 5, ["`relux`", "did you mean `relu`"]),
    ("  output y = x |> Adamm(3)", "NN0103", 5, ["did you mean `Adam`"]),
    ("  output y = x + x[:, :, 1:]", "NN0207", 5, ["height 8 (left) is not 7 (right)"]),
    ("  y = x[:, :2]\n  output z = x * y", "NN0207", 6, ["channels 3", "became f32[N, 2, 8, 10]"]),
    ("  output y = x @ x", "NN0205", 5, ["10", "8"]),
    ("  output y = x |> Linear(3", "NN0105", 5, ["("]),
    ("  output y = x |> Linear", "NN0202", 5, ["`Linear()`"]),
    ("  output y = x |> Linear(3, 4, 5, 6, 7, 8)", "NN0202", 5, ["`Linear` takes 5 arguments, 6"]),
    ("  output y = x |> Linear(widht=3)", "NN0202", 5, ["no argument `widht`"]),
    ("  output y = x |> Linear()", "NN0202", 5, ["lacks its argument `out`"]),
    ('  output y = x |> Linear("3")', "NN0201", 5, ["must be an int", 'the string "3"']),
    ("  output y = x |> Conv(8, 9)", "NN0205", 5, ["kernel 9", "height 8", "pad"]),
    ("  output y = x |> Conv(8, 3, groups=2)", "NN0209", 5, ["3 channels", "2 groups"]),
    ("  output y = x |> relu as r", "NN0302", 5, ["`as` names an instance"]),
    ("  output y = x[0, 0, 0, 0, 0]", "NN0204", 5, ["5 indices for 4 dimensions"]),
    ("  output y = x[:, 3]", "NN0210", 5, ["index 3", "axis 1 of size 3"]),
    ("  output y = x[5:0:0]", "NN0208", 5, ["step"]),
    ("  output y = argmax(x) * 0.5", "NN0203", 5, ["would round the float 0.5 to i64", "cast"]),
    ("  output y = (x > 0) + (x > 1)", "NN0203", 5, ["bool"]),
    ("  output y = x + argmax(x, axis=1)", "NN0203", 5, ["f32 (left) is not i64 (right)"]),
    ("  output y = mean(x, axis=4)", "NN0210", 5, ["axis 4 is out of range"]),
    ("  s: float[N, C, H] = x\n  output s", "NN0204", 5, ["4 dimensions, not 3"]),
    ("  s: float[N, 4, H, W] = x\n  output s", "NN0205", 5, ["size 3 where 4"]),
    ("  s: float[N, H, H, W] = x\n  output s", "NN0205", 5, ["size 8 where H = 3"]),
    ("  s: i64[N, C, H, W] = x\n  output s", "NN0203", 5, ["f32, not i64"]),
    ("  s: flaot[N, C, H, W] = x\n  output s", "NN0103", 5, ["did you mean `float`"]),
    ("  if N == 3 { output y = x }", "NN0206", 5, ["N == 3 is not known"]),
    ("  if x { output y = x }", "NN0212", 5, ["where(condition, a, b)"]),
    ("  for i in 3 { x = relu(x) }", "NN0201", 5, ["range(3)"]),
    ("  assert 1 > 2, \"so {1 + 1}\"", "NN0209", 5, ["so 2"]),
    ("  output y = 1 / 0", "NN0211", 5, ["division by zero"]),
    ("  output y = f32(2 ** 2 ** 30)", "NN0005", 5, []),
    ("  output y = sqrt(-1)", "NN0211", 5, ["sqrt(-1)"]),
    ("  output y = 3", "NN0201", 5, ["must be a tensor", "the int 3"]),
    ("  output x\n  output x", "NN0104", 6, ["two outputs `x`"]),
    ("  input x: f32[3]\n  output x", "NN0104", 5, ["two inputs"]),
    ("  input z: float\n  output x", "NN0201", 5, ["f32[]"]),
    ("  (a, b) = x[:, :, 0, 0][0]\n  output a", "NN0202", 5, ["2 names for 3 values"]),
    ("  (a, b) = x\n  output a", "NN0206", 5, ["first axis is static"]),
    ("  x[0] = 3", "NN0201", 5, ["put"]),
    ("  return x", "NN0106", 5, ["output name"]),
    ("  metric a = mean(x)\n  output x", "NN0106", 5, ["train"]),
    ("  f = Linear(3)\n  output y = f.weight", "NN0303", 6, ["does not exist yet"]),
    ("  f = Linear(3)\n  a = f(x)\n  output y = f.wight", "NN0103", 7, ["weight"]),
    ("  f = Linear(3)\n  a = f(x)\n  output b = f(a)", "NN0304", 7, ["f.weight", "f32[3, 3]"]),
    ("  a = Linear(3)\n  if true { a = Linear(4) }\n  output y = a(x)", "NN0302", 6, ["`a`"]),
    ("  update x = x\n  output x", "NN0307", 5, ["no param, buffer or state"]),
    ("  output y = onnx.Conw(x, x)", "NN0103", 5, ["did you mean `Conv`"]),
    ("  output y = onnx.Conv(x)", "NN0702", 5, ["lacks its operand `W`"]),
    ("  output y = onnx.Relu(x, alpha=1)", "NN0202", 5, ["no attribute `alpha`"]),
    ("  output y = grad(x, x)", "NN0402", 5, ["sum"]),
    ("  output y = zeros() + x", "NN0206", 5, ["zeros([…])"]),
    ("  output y = reshape(x, [N, 7])", "NN0205", 5, ["240", "7"]),
    ("  output y = scan (h: f32[3] = zeros()) over t = x { yield h }", "NN0901", 5, ["scan"]),
    ("  train { minimize x by Adam(lr=1) }\n  output x", "NN0402", 5, ["mean(x)"]),
    ("  train { minimize mean(x) by Adam(lr=1) }\n  output x", "NN0403", 5, ["no parameter"]),
    ("  train { minimize mean(Linear(3)(x)) by relu }\n  output x", "NN0201", 5, ["by Adam("]),
    ("  y = x", "NN0306", 3, ["no output"]),
]


@pytest.mark.parametrize(("statements", "code", "line", "fragments"), CASES)
def test_broken_models(statements: str, code: str, line: int, fragments: list[str]) -> None:
    diagnostic = failure(model(statements))
    text = diagnostic.render()
    assert diagnostic.code == code, text
    assert diagnostic.span is not None
    assert diagnostic.span.source.name == "test.nn", text
    assert diagnostic.span.line == line, text
    for fragment in fragments:
        assert fragment in text, text


FILES = [
    ("fn f(x) = f(x)\nmodel M { input x: f32[2]\n output y = f(x) }", "NN0305", "contains itself"),
    ("block B() (x: float[N]) { y = x }\nmodel M { input x: f32[2]\n output y = B()(x) }",
     "NN0106", "without `return`"),
    ("fn f(x: float[N]) { param w: float[3] = zeros()\n return x }\n"
     "model M { input x: f32[2]\n output y = f(x) }", "NN0301", "make it a block"),
    ("model M { input x: f32[2]\n output x }\nmodel M { input x: f32[2]\n output x }",
     "NN0104", "declared twice"),
    ("fn f() = 1", "NN0306", "no model"),
    ("", "NN0306", "no model"),
    ("nn 2\nmodel M { }", "NN0007", "version 2"),
    ("from std import Convv\nmodel M { }", "NN0006", "did you mean `Conv`"),
    ("from std.optimm import Adam\nmodel M { }", "NN0006", "did you mean `optim`"),
    ("from nowhere import x\nmodel M { }", "NN0001", "cannot be read"),
    ("model M { output y = Conv(3, 3) }", "NN0103", "from std.conv import Conv"),
    ("block B()(x: float[N, D]) { param w: float[N, D] = zeros()\n return x * w }\n"
     "model M { input x: f32[N, 2]\n output y = B()(x) }", "NN0206", "fixed size"),
    ("optimizer O(lr: float[])(p: float[S...], g: float[S...], t: float[]) { }\n"
     "from std import Linear\nmodel M { }", "NN0106", ""),
]


@pytest.mark.parametrize(("text", "code", "fragment"), FILES)
def test_broken_files(text: str, code: str, fragment: str) -> None:
    diagnostic = failure(text)
    assert diagnostic.code == code, diagnostic.render()
    assert fragment in diagnostic.render()


def test_unknown_hyperparameter_and_model() -> None:
    text = "model M(depth: int = 3) { input x: f32[2]\n output y = x * depth }"
    assert "did you mean `depth`" in (failure(text, dept=4).help or "")
    assert failure(text, depth="deep").code == "NN0201"
    assert failure(text, model="Mm").help == "did you mean `M`?"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\xff\xfe", "NN0002"), (None, "NN0001"), (b"model M {" + b"(" * 10**6, "NN0003")],
)
def test_unreadable_files(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "model.nn"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(CompileError) as caught:
        lower(read_source(path))
    assert caught.value.diagnostics[0].code == code


def test_files_that_import_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.nn").write_text("from b import f\nmodel M { input x: f32[2]\n output x }")
    (tmp_path / "b.nn").write_text("from a import g\nfn f(x) = x")
    with pytest.raises(CompileError, match="import each other"):
        lower(read_source(tmp_path / "a.nn"))


def test_expansion_that_doubles_forty_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncomp.lower.context.MAX_NODES", 10_000)
    doubling = "".join(f"fn f{i + 1}(x) = f{i}(f{i}(x))\n" for i in range(40))
    text = f"fn f0(x) = relu(x)\n{doubling}model M {{ input x: f32[2]\n output y = f40(x) }}"
    assert failure(text).code == "NN0004"
