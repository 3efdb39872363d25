"""Fns and blocks that no model uses: wrong names, and calls that do not fit, are found anyway."""

from __future__ import annotations

import pytest

from nncomp.driver.checking import check
from nncomp.errors import CompileError
from nncomp.source import SourceFile

MODEL = "model M {\n  input x: f32[N]\n  output y = x\n}\n"


def found(text: str) -> list[tuple[str, int]]:
    """The errors of a file: codes and lines."""
    try:
        list(check(SourceFile("m.nn", text)))
    except CompileError as failure:
        return [(d.code, d.span.line if d.span else 0) for d in failure.diagnostics]
    return []


@pytest.mark.parametrize("model", [MODEL, ""])
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("fn f(x) = x + nothing\n", "NN0103"),
        ("fn f(x) = rellu(x)\n", "NN0103"),
        ("fn f(x: flot[N]) = x\n", "NN0103"),
        ("block B()(x: float[N, C]) { return x |> Conv(3) }\n", "NN0103"),
        ("from std import Conv\nblock B()(x: float[N, C]) { return x |> Conv() }\n", "NN0202"),
        ("from std import Conv\nblock B()(x: float[N, C]) { return Conv(3, 3)(x, x) }\n", "NN0202"),
        ("fn g(x, n: int) = x\nfn f(x) = g(x, 1, 2)\n", "NN0202"),
        ("fn g(x, n: int) = x\nfn f(x) = g(x, m=1)\n", "NN0202"),
        ("fn g(x, n: int) = x\nfn f(x) = x |> g\n", "NN0202"),
        ("fn f(x) = softmax()\n", "NN0202"),
    ],
)
def test_what_is_wrong_is_found(text: str, code: str, model: str) -> None:
    line = text.count("\n")
    assert found(text + model) == [(code, line)]


@pytest.mark.parametrize(
    "text",
    [
        "fn f(x: float[N, S...]) = reshape(x, [N, -1])\n",
        "fn f(x) { y: float[K] = x\n return y + K }\n",
        "fn f(g: fn, x) = g(x, 1, 2, 3)\n",
        "fn g(x) = x\nfn f(g: fn, x) = g(x, x)\n",
        "fn f(x) = [relu(v) for v in x]\n",
        "fn f(x, w) = softmax(w...)\n",
        "fn f(x) = x.shape if training else x\n",
        "from std import Linear\nblock B(layer: block = Linear)(x: float[N, C]) {\n"
        "  l = partial(Linear, out=3)\n  return x |> l() |> layer(3)\n}\n",
        "block B()(x: float[N, C]) {\n  param w: float[C] = ones()\n"
        "  (h) = scan (s = w) over r = x { s = s + r\n yield s }\n  return h\n}\n",
    ],
)
def test_what_may_be_right_passes(text: str) -> None:
    assert found(text + MODEL) == []


def test_once_though_lowered_too() -> None:
    text = "fn f(x) = x + nothing\nfn g(x) = nowhere\n"
    used = MODEL.replace("= x", "= f(x)")
    assert found(text + used) == [("NN0103", 1), ("NN0103", 2)]


def test_every_model_reports_it_once() -> None:
    text = "fn f(x) = nothing\n" + MODEL + MODEL.replace("M", "L")
    assert found(text) == [("NN0103", 1)]
