"""Broken programs: code, line, and the facts that the message must hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncomp.errors import CompileError
from nncomp.lower.modules import read_source
from nncomp.lower.program import lower
from nncomp.types import DType
from tests.lower.programs import failure, program

HEAD = "from std import BatchNorm, Conv, Linear\nfrom std.optim import Adam\n"


def model(statements: str) -> str:
    return f"{HEAD}model M {{\n  input x: f32[N, 3, 8, 10]\n{statements}\n}}\n"


# statements from line 5 on; code; line; what the rendered text must hold
CASES = [
    ("  if training { y = x } elif true { y = x }", "NN0101", 5, ["`elif`", "`else if`"]),
    ('  output y = x |> Linear(3) as f"c{1}"', "NN0101", 5, ["no prefix", "without `f`"]),
    ("  output y = reshape(x, [N, 240 / 2, 2])", "NN0201", 5, ["float 120.0", "`//` divides"]),
    ("  output y = x |> Adam(betas=(0.9, 0.95))", "NN0202", 5, ["`betas`", "`beta1=0.9, beta2="]),
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
    ('  assert 1 > 2, "so {1 + 1}"', "NN0209", 5, ["so 2"]),
    ("  output y = 1 / 0", "NN0211", 5, ["division by zero"]),
    ("  w = 3\n  output y = 1 / (w // 4)", "NN0211", 6, ["by zero: `w // 4` is 0", "1 / 0"]),
    ("  output y = x |> Conv(8, 3, groups=0)", "NN0211", 5, ["`groups` is 0", "3 % 0"]),
    ("  w = 3\n  y = x |> Linear(w // 4) |> Linear(3)", "NN0205", 6, ["`weight`", "f32[0, 10]"]),
    ("  y = x[..., 10:] |> Linear(3)", "NN0205", 5, ["f32[3, 0], without a number", "size"]),
    ("  output y = f32(2 ** 2 ** 30)", "NN0005", 5, []),
    ("  output y = sqrt(-1)", "NN0211", 5, ["sqrt(-1)"]),
    (
        "  y = onnx.DFT(x[..., none], 8, i64(2))",
        "NN0203",
        5,
        ["dft_length takes integers", "`i64(…)`"],
    ),
    ("  scan (h=0) over t = x { h = h + 1 }", "NN0101", 5, ["`name = scan …`"]),
    ("  output y = 3", "NN0201", 5, ["must be a tensor", "the int 3"]),
    ("  output x\n  output x", "NN0104", 6, ["two outputs `x`"]),
    ("  input x: f32[3]\n  output x", "NN0104", 5, ["two inputs"]),
    ("  input z: float\n  output x", "NN0201", 5, ["f32[]"]),
    ("  (a, b) = x[:, :, 0, 0][0]\n  output a", "NN0202", 5, ["2 names for 3 values"]),
    ("  (a, b) = x\n  output a", "NN0206", 5, ["first axis is static"]),
    ("  x[0] = 3", "NN0201", 5, ["not changed in place"]),
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
    ("  h = scan (h = zeros()) over t = x { yield h }", "NN0206", 5, ["`h: float[…] = zeros()`"]),
    ("  y = scan (h = 0.0) over t = x { h = t }", "NN0320", 5, ["f32[]", "f32[3, 8, 10]"]),
    ("  y = scan (h = 0.0) over t = x { h = 1 > 0 }", "NN0201", 5, ["the bool true"]),
    ("  y = scan (h = 0, h = 1) over t = x { yield t }", "NN0104", 5, ["two carries `h`"]),
    ("  y = scan over t = x { s = t }", "NN0322", 5, ["neither carries nor yields"]),
    ("  y = scan over t = x { yield t\n yield t }", "NN0322", 6, ["yields twice"]),
    ("  y = scan over t = x, u = x[:, :, 0] axis 1 { yield t }", "NN0206", 5, ["N", "3"]),
    ("  y = scan over t = x axis 1, u = x axis 2 { yield t }", "NN0205", 5, ["3 and 8"]),
    ("  y = scan over t = x axis 4 { yield t }", "NN0210", 5, ["4 dimensions"]),
    ("  y = scan over t = x { yield t axis 4 }", "NN0210", 5, ["axis 4"]),
    ("  y = scan over t = [1, 2] { yield t }", "NN0201", 5, ["use `for`"]),
    ("  y = scan over t = x { return t }", "NN0106", 5, ["`return`", "`scan`"]),
    ("  y = scan over t = x { output t\n yield t }", "NN0106", 5, ["`output`", "`scan`"]),
    ("  yield x", "NN0106", 5, ["body of a `scan`"]),
    ("  y = loop (i = 0) while true { i = i + 1 }", "NN0212", 5, ["always true"]),
    ("  y = loop (i = 0) while i { i = i + 1 }", "NN0201", 5, ["bool[]"]),
    ("  y = loop (h = x) while h > 0 { h = h * 2 }", "NN0201", 5, ["reduce it"]),
    ("  y = loop (h = x) while sum(h) > 0 { h = h[:, 1:] }", "NN0320", 5, ["may grow"]),
    ("  y = cond sum(x) > 0 { yield x } else { z = x }", "NN0322", 5, ["yields nothing"]),
    ("  y = cond sum(x) > 0 { yield x, x } else { yield x }", "NN0322", 5, ["yields 2"]),
    ("  y = cond sum(x) > 0 { yield x } else { yield x[:, 0] }", "NN0205", 5, ["f32[N, 8, 10]"]),
    ("  y = cond x > 0 { yield x } else { yield x }", "NN0201", 5, ["bool[]"]),
    ("  train { minimize x by Adam(lr=1) }\n  output x", "NN0402", 5, ["mean(x)"]),
    ("  train { minimize mean(x) by Adam(lr=1) }\n  output x", "NN0403", 5, ["no parameter"]),
    (
        "  y = x |> Linear(3)\n  output y\n"
        "  train { minimize mean(stop_gradient(y)) by Adam(lr=1) }",
        "NN0403",
        7,
        ["stop_gradient"],
    ),
    (
        "  y = x |> Linear(3)\n  output y\n  train { minimize mean(y > 0) by Adam(lr=1) }",
        "NN0403",
        7,
        ["comparison"],
    ),
    ("  train { minimize mean(Linear(3)(x)) by relu }\n  output x", "NN0201", 5, ["by Adam("]),
    ("  y = x", "NN0306", 3, ["no output"]),
    # made while the models were written
    ("  y = scan over a = x axis 1,\n    b = x axis 1 { yield a }", "NN0101", 5, ["in brackets"]),
    ("  output a,\n    b", "NN0101", 5, ["the line ends after `,`", "a second `output`"]),
    ("  output y = mse_loss(x, x[:, :1])", "NN0205", 5, ["size 1 where 3 is needed"]),
    (
        "  input t: f32[N, 3, K, L]\n  output y = mse_loss(x, t)",
        "NN0206",
        6,
        ["8 and K are not known to be equal", "say so before"],
    ),
    ("  output y = cross_entropy(x, x[:, 0])", "NN0203", 5, ["dtype f32, not int", "cast(…, i64)"]),
    ("  output y = x |> Conv(8, 3, pad=1.5)", "NN0209", 5, ["`pad` is an int", "not 1.5"]),
    ("  output y = x |> Conv(8, 3, pad=[(1, 0)])", "NN0209", 5, ["(before, after)", "[(1, 0)]"]),
    ("  y = choose(7, [1, 2], [3, 4])", "NN0209", 5, ["7 is not one of [1, 2]"]),
    ("  y = choose(1, [1, 2], [3])", "NN0209", 5, ["there are 2 keys, but 1 values"]),
    ("  y = roll(x, 1, axis=7)", "NN0209", 5, ["axis 7 is out of range for 4 dimensions"]),
    ("  y = top_k(x, 11)", "NN0205", 5, ["11 of 10"]),
    ("  output y = x |> Linear(3, init=0.1)", "NN0201", 5, ["must be a fn", "`full(0.1)`"]),
    ("  y = x |> Linear(3, init=normal([3]))", "NN0201", 5, ["no shape of its own"]),
    ("  output a, b = split(x, 3, axis=1)", "NN0202", 5, ["2 names for 3 values"]),
    ("  output a, b = x, 3", "NN0201", 5, ["an output must be a tensor, this is the int 3"]),
    ("  output a, a = x, x", "NN0104", 5, ["two outputs `a`"]),
]

# the commonest slips: each message says what a good colleague would say
SLIPS = [
    (
        "  y = x |> Conv(3, 3)\n  output z = x + y",
        "NN0207",
        6,
        ["height 8", "did you mean `pad=1`"],
    ),
    ("  y = x |> Conv(3, 3, dilation=2)\n  output z = y + x", "NN0207", 6, ["`pad=2`"]),
    ("  s: float[N, 8, 10, C] = x\n  output s", "NN0205", 5, ["`transpose(…, perm=[0, 2, 3, 1])`"]),
    ("  param w: float[4, 10]\n  output y = x @ w", "NN0205", 6, ["… @ transpose(…)"]),
    ("  output y = x |> Linear", "NN0202", 5, ["write `Linear()` to make an instance"]),
    ("  output y = relu(x", "NN0105", 5, ["`)` is missing"]),
    ("  output y = x + x |> relu", "NN0102", 5, ["write `(x + x) |> …`"]),
    ("  output y = Linear(x, 3)", "NN0201", 5, ["made first", "write `x |> Linear(…)`"]),
    ("  output y = x |> relu()(x)", "NN0202", 5, ["a fn makes no instance", "`… |> relu`"]),
    ("  i = argmax(x)\n  output y = i |> Linear(3)", "NN0203", 6, ["cast(…, f32)", "made here"]),
    ("  output y = cross_entropy(x, x[:, 0])", "NN0203", 5, ["cast(…, i64)"]),
    ("  if N > 8 { x = relu(x) }\n  output x", "NN0206", 5, ["the dim N", "an `assert`"]),
    ("  for i in range(N) { x = relu(x) }\n  output x", "NN0212", 5, ["`scan` runs along"]),
    ("  output y = x.reshape([N, 240])", "NN0103", 5, ["`reshape` is a function"]),
    ("  output y = x.length", "NN0103", 5, ["a tensor has `shape`"]),
    ("  output y = mean(x, axes=1)", "NN0202", 5, ["did you mean `axis`"]),
    ("  y = 2 @ 3", "NN0201", 5, ["matrix product of tensors"]),
]

# what users try by mistake: no number, list or name may end in anything but a report
ODD = [
    ('  output y = x["a"]', "NN0201", 5, ["cannot be indexed by"]),
    ("  output y = x[true]", "NN0201", 5, ["the bool true"]),
    ("  output y = x[..., 0, ...]", "NN0204", 5, ["only one"]),
    ("  output y = x[0:8:N]", "NN0212", 5, ["step"]),
    ("  y = [1, 2][N:]", "NN0212", 5, ["the dim N"]),
    ("  y = range(2 ** 62)", "NN0004", 5, ["too long"]),
    ("  y = u8(300)", "NN0005", 5, ["300 does not fit into u8"]),
    ("  y = u8([-1])", "NN0005", 5, ["u8"]),
    ("  y = f16(1e5)", "NN0005", 5, ["f16"]),
    ("  y = x + 1e39", "NN0005", 5, ["f32"]),
    ("  y = i64(nan)", "NN0203", 5, ["rounded"]),
    ("  y = i64([1.5])", "NN0203", 5, ["rounded"]),
    ('  y = f32(["3"])', "NN0201", 5, ["numbers"]),
    ("  y = 10 ** 30", "NN0005", 5, ["64 bits"]),
    ("  y = (-2) ** 0.5", "NN0211", 5, ["real"]),
    ("  y = int(1e300)", "NN0005", 5, ["64 bits"]),
    ('  y = 3 in "abc"', "NN0201", 5, ["string"]),
    ("  y = x < none", "NN0201", 5, ["none"]),
    ("  y = relu(zeros())", "NN0206", 5, ["zeros([…])"]),
    ("  y = zeros([2], dtype=3)", "NN0201", 5, ["dtype"]),
    ("  y = zeros(shape=3)", "NN0201", 5, ["list of dims"]),
    ('  y = reshape(x, ["a"])', "NN0201", 5, ["dim"]),
    ("  y = max(1, x)", "NN0201", 5, ["`maximum(a, b)`"]),
    ("  y = onnx.Softmax(x, axis=1.5)", "NN0201", 5, ["`axis` of Softmax must be an int"]),
    ("  y = onnx.Softmax(x, axis=none)", "NN0201", 5, ["none"]),
    ("  y = onnx.MaxPool(x, kernel_shape=2)", "NN0201", 5, ["a list of ints"]),
    ("  y = onnx.MaxPool(x, kernel_shape=[N])", "NN0212", 5, ["the dim N"]),
    ("  y = onnx.Cast(x, to=3)", "NN0201", 5, ["a dtype"]),
    ("  y = onnx.Concat(axis=0)", "NN0702", 5, ["inputs"]),
    ("  y = onnx.Relu(x, X=x)", "NN0202", 5, ["given twice"]),
    ("  a: float[3...] = x", "NN0201", 5, ["list of dims"]),
    ("  a: float[_, 2 * k, _, _] = x", "NN0205", 5, ["gives no `k`"]),
    ("  a: float[_, a * b, _, _] = x", "NN0206", 5, ["gives no"]),
    ("  a: list[3] = [1]", "NN0103", 5, ["list[int]"]),
    ("  a: list[float[N, :]] = [x]", "NN0103", 5, ["`:` is no dim", "`_`"]),
    ("  a: list[list[int]] = [[1.5]]", "NN0201", 5, ["must be an int"]),
    ("  P = partial(Linear, foo=3)", "NN0202", 5, ["no hyperparameter `foo`"]),
    ('  P = partial(Linear, out="a")\n  y = x |> P()', "NN0201", 6, ["`out` of `Linear`"]),
    ('  y = x |> Linear(3) as "a."', "NN0101", 5, ["empty"]),
    ("  y = x |> drop(...)", "NN0101", 5, ["`...` has no value", "splices the items of a list"]),
    ("  y = [x, ...]", "NN0101", 5, ["`...` has no value"]),
    ('  y = x |> Linear(3) as "{x}"', "NN0201", 5, ["ints and text"]),
    ("  param w: float[2]\n  param w: float[2]", "NN0302", 6, ["`w`"]),
    ("  param linear: float[2]\n  y = x |> Linear(3)", "NN0302", 6, ["`linear`"]),
    ("  param w: float = 3", "NN0201", 5, ["`float[]`"]),
    ("  param w: float[2 ** 40, 2]", "NN0008", 5, ["elements"]),
    ("  param w: float[10] = x[0, 0, 0]", "NN0307", 5, ["cannot depend on inputs"]),
    ("  if true { train { metric a = mean(x) } }", "NN0106", 5, ["directly in the model"]),
    ("  train { }\n  output x", "NN0306", 5, ["metric"]),
    ("  input seed: f32[2]\n  y = normal([2])", "NN0104", 6, ["rename"]),
    ("  input seed: i64[] = 1\n  y = normal([2])", "NN0104", 6, ["rename"]),
    ("  y = normal([2])\n  input seed: i64[]", "NN0104", 6, ["in use"]),
    ("  input m: f32[N]? = 1.0", "NN0201", 5, ["not the float 1.0", "leave out the `?`"]),
    ("  input m: f32[]? = ones([3])", "NN0201", 5, ["not f32[3]"]),
    ("  input m: f32[N] = zeros()", "NN0201", 5, ["only a scalar has a default", "type? = none"]),
    ("  input m: f32[] = none", "NN0201", 5, ["the input is f32[], its default none"]),
    ("  input m: f32[]?\n  input m: f32[]", "NN0104", 6, ["two inputs `m`"]),
    ("  y = grad(mean(x), Linear(3))", "NN0303", 5, ["no parameters yet"]),
    ("  l[0] = 1", "NN0103", 5, ["`l` is not defined"]),
]


@pytest.mark.parametrize(("statements", "code", "line", "fragments"), CASES + SLIPS + ODD)
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
    (
        "block B() (x: float[N]) { y = x }\nmodel M { input x: f32[2]\n output y = B()(x) }",
        "NN0106",
        "without `return`",
    ),
    (
        "fn f(x: float[N]) { param w: float[3] = zeros()\n return x }\n"
        "model M { input x: f32[2]\n output y = f(x) }",
        "NN0301",
        "make it a block",
    ),
    (
        "model M { input x: f32[2]\n output x }\nmodel M { input x: f32[2]\n output x }",
        "NN0104",
        "declared twice",
    ),
    ("fn f() = 1", "NN0306", "no model"),
    ("", "NN0306", "no model"),
    ("nn 2\nmodel M { }", "NN0007", "version 2"),
    ("from std import Convv\nmodel M { }", "NN0006", "did you mean `Conv`"),
    ("from std.optimm import Adam\nmodel M { }", "NN0006", "did you mean `optim`"),
    ("from nowhere import x\nmodel M { }", "NN0001", "cannot read"),
    ("model M { output y = Conv(3, 3) }", "NN0103", "from std.conv import Conv"),
    (
        "block B()(x: float[N, D]) { param w: float[N, D] = zeros()\n return x * w }\n"
        "model M { input x: f32[N, 2]\n output y = B()(x) }",
        "NN0206",
        "fixed size",
    ),
    (
        "optimizer O(lr: float[])(p: float[S...], g: float[S...], t: float[]) { }\n"
        "from std import Linear\nmodel M { }",
        "NN0106",
        "",
    ),
    (
        "fn f(x: float[N]) -> float[(x, x)...] = x\n"
        "model M {\n  input x: f32[N]\n  output y = f(x)\n}",
        "NN0201",
        "a dim must be an int, this is f32[N]",
    ),
    ("fn f(x, x) = x\nmodel M { }", "NN0104", "two parameters `x`"),
    ("block B(a: int)(a: float[N]) { return a }\nmodel M { }", "NN0104", "two parameters `a`"),
    ("from std import Linear\nfn Linear(x) = x\nmodel M { }", "NN0104", "declared twice"),
    ("fn f(x) { y = x }\nmodel M { output y = f(1) }", "NN0106", "without `return`"),
    ("A = B\nB = 3\nmodel M { }", "NN0103", "`B` is not defined"),
    ("A = f32([1, 2])\nmodel M { }", "NN0212", "make it a fn"),
    ("from std import Linear\nA = Linear(3)\nmodel M { }", "NN0212", "in the model that uses it"),
    ("model M { input x: f32[2]\n output y = M(x) }", "NN0201", "the model `M`"),
    (
        "block B(n: int)(x: float[N, D]) { return x |> B(n + 1) }\n"
        "model M { input x: f32[2, 3]\n output y = x |> B(0) }",
        "NN0305",
        "`B` contains itself",
    ),
    (
        "optimizer O(lr: float[])(p: float[S...], g: float[S...]) { param m: float[S...]\n"
        " update p = p - lr * m }\n"
        "model M { param w: float[2]\n train { minimize sum(w) by O(1) } }",
        "NN0106",
        "write `state m",
    ),
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


def test_sizes_among_themselves_are_whole_numbers() -> None:
    found = program(model("  output y = onnx.Range(0, 2 * N, 1)\n  output z = onnx.Mul(N, 0.5)"))
    assert [v.type.dtype for v in found.graph.outputs.values()] == [DType.I64, DType.F32]


@pytest.mark.parametrize(
    ("settings", "code", "under", "says"),
    [
        ({"depth": "x"}, "NN0201", "depth: int = 3", "must be an int"),
        ({"rate": "fast"}, "NN0201", "rate: float = 0.1", "must be a float"),
        ({"depht": 3}, "NN0202", "M", "has no hyperparameter `depht`"),
    ],
)
def test_a_setting_that_does_not_fit_is_shown_at_its_hyperparameter(
    settings: dict[str, Any], code: str, under: str, says: str
) -> None:
    text = (
        "model M(depth: int = 3, rate: float = 0.1) {\n  input x: f32[2]\n  output y = rate * x\n}"
    )
    found = failure(text, **settings)
    assert found.span is not None
    assert (found.code, found.span.text) == (code, under)
    assert says in found.message
