"""Axes by name, and functions that take tensors apart: values as NumPy has them, and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import run
from nncomp.types import Array
from tests.lower.programs import body, failure, operators

X = np.random.default_rng(0).standard_normal((2, 3, 8, 10)).astype(np.float32)


def value(expression: str) -> Array:
    return run(body(f"  output y = {expression}").graph, {"x": X}).outputs["y"]


@pytest.mark.parametrize(
    ("pattern", "sizes", "expected"),
    [
        ("n c h w -> n h w c", "", X.transpose(0, 2, 3, 1)),
        ("n c h w -> n (h w) c", "", X.transpose(0, 2, 3, 1).reshape(2, 80, 3)),
        ("n c (h k) w -> n k c h w", "k=2", X.reshape(2, 3, 4, 2, 10).transpose(0, 3, 1, 2, 4)),
        ("n c (h k) (w l) -> n (c k l) h w", "k=2, l=5", None),
        ("n ... w -> w n ...", "", X.transpose(3, 0, 1, 2)),
        ("... w -> (...) w", "", X.reshape(48, 10)),
        ("n c h w -> n 1 c () h w", "", X[:, None, :, None]),
    ],
)
def test_rearrange(pattern: str, sizes: str, expected: Array | None) -> None:
    if expected is None:  # pixels into channels
        expected = X.reshape(2, 3, 4, 2, 2, 5).transpose(0, 1, 3, 5, 2, 4).reshape(2, 30, 4, 2)
    given = f", {sizes}" if sizes else ""
    assert np.array_equal(value(f'rearrange(x, "{pattern}"{given})'), expected)


@pytest.mark.parametrize(
    ("pattern", "operands"),
    [
        ("nchw,nchv->ncwv", "x, x[..., :7]"),
        ("nchw,ncvw->nhv", "x, x[:, :, :5]"),
        ("nchw->wc", "x"),
        ("nchw,c->nhw", "x, f32([1, 2, 3])"),
        ("nchw,c->nchw", "x, f32([1, 2, 3])"),
        ("i,j->ji", "f32([1, 2, 3]), f32([4, 5])"),
        ("i,i->", "f32([1, 2, 3]), f32([4, 5, 6])"),
        ("ij,jk,kl->il", "x[0, 0], x[0, 1, :5] @ x[0, 2] |> transpose, x[1, 0]"),
        ("...hw,...hv->...wv", "x, x"),
    ],
)
def test_einsum(pattern: str, operands: str) -> None:
    if "|>" in operands:  # 8×10, 10×5, 5×8
        operands = "x[0, 0], transpose(x[0, 1, :5]), x[0, 2, :5]"
    parts = operands.split(", ") if pattern.count(",") == 0 else [operands]
    text = f'einsum("{pattern}", {", ".join(parts)})'
    graph = body(f"  output y = {text}").graph
    assert "Einsum" not in operators(graph)
    ours = run(graph, {"x": X}).outputs["y"]
    numpy: dict[str, Any] = {"x": X, "f32": np.float32, "transpose": np.transpose}
    theirs = np.einsum(pattern, *eval(f"[{operands}]", numpy))
    assert np.allclose(ours, theirs, atol=1e-4)


def test_einsum_with_words() -> None:
    ours = value('einsum("n chan h w, n chan h v -> n w v", x, x)')
    assert np.allclose(ours, np.einsum("nchw,nchv->nwv", X, X), atol=1e-4)


def test_split_put_align() -> None:
    assert np.array_equal(value("split(x, 2, axis=2)[1]"), X[:, :, 4:])
    assert np.array_equal(value("split(x, [3, 7], axis=-1)[0]"), X[..., :3])
    expected = X.copy()
    expected[:, 1] = X[:, 0]
    assert np.array_equal(value("put(x, 1, x[:, 0], axis=1)"), expected)
    expected[:, :, :, [2, 5]] = 7
    assert np.array_equal(
        value("put(put(x, 1, x[:, 0], axis=1), i64([2, 5]), 7, axis=-1)"), expected
    )
    assert np.array_equal(
        value("align(f32([1, 2, 4]), x) * x"), np.float32([[[1]], [[2]], [[4]]]) * X
    )


def test_a_fn_may_give_a_tuple() -> None:
    text = """
fn halves(x: float[N, D]) -> (float[N, K], float[N, K]) {
  (a, b) = split(x, 2, axis=1)
  return a, b
}
model M {
  input x: f32[N, 6]
  (a, b) = halves(x)
  output y = a * b
}"""
    assert failure(text.replace("2, axis=1", "[2, 4], axis=1")).code == "NN0205"
    from tests.lower.programs import program

    assert str(program(text).graph.outputs["y"].type) == "f32[N, 3]"


@pytest.mark.parametrize(
    ("expression", "code", "says"),
    [
        ('rearrange(x, "n c h w -> n c h")', "NN0208", "`w` stands on the left only"),
        ('rearrange(x, "n c h -> n h c")', "NN0204", "names 3 axes, the tensor has 4"),
        ('rearrange(x, "n c (h k) w -> n c h k w", k=3)', "NN0205", "does not divide by k=3"),
        ('rearrange(x, "n c (h k) w -> n c h k w")', "NN0206", "`h` and `k`"),
        ('rearrange(x, "n c (h k) w -> n c h k w", h=2, k=3)', "NN0205", "h=2 * k=3"),
        ('rearrange(x, "n c h w -> n c h w", d=3)', "NN0202", "no axis `d`"),
        ('rearrange(x, "n c h w")', "NN0208", "one `->`"),
        ('rearrange(x, "n c (h w -> n c h w")', "NN0208", "not closed"),
        ('rearrange(x, "n n h w -> n h w")', "NN0208", "twice"),
        ('rearrange("n c h w", x)', "NN0202", "takes a tensor, a pattern"),
        ('einsum("nchw,nchw->nk", x, x)', "NN0208", "`k` stands in no operand"),
        ('einsum("nchw,ncwh->n", x, x)', "NN0205", "two sizes"),
        ('einsum("nch,nchw->n", x, x)', "NN0204", "names 3 axes"),
        ('einsum("nchw,nchw->n", x)', "NN0202", "names 2 operands, 1 are given"),
        ('einsum("nchw,nchw", x, x)', "NN0208", "one `->`"),
        ("split(x, 3, axis=2)[0]", "NN0205", "does not divide by 3"),
        ("split(x, 0)[0]", "NN0201", "a number of parts"),
    ],
)
def test_errors(expression: str, code: str, says: str) -> None:
    text = f"model M {{\n  input x: f32[N, 3, 8, 10]\n  output y = {expression}\n}}\n"
    found = failure(text)
    assert found.code == code
    assert says in f"{found.message} {found.label}"
    assert found.span is not None
    assert found.span.line == 3
