"""`scan`, `loop` and `cond`: what they mean, in NumPy and in onnxruntime, at several sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.ir.verify import verify
from nncomp.passes.manager import optimize
from nncomp.types import Array
from tests.lower.programs import failure, operators, paths, program

SIZES = [(1, 1), (3, 7), (7, 3)]


def model(statements: str, inputs: str = "x: f32[T, N, 3]") -> Graph:
    text = f"from std import Linear\nmodel M {{\n  input {inputs}\n{statements}\n}}\n"
    graph = expand_gradients(program(text).graph)
    verify(graph)
    return graph


def results(graph: Graph, given: Mapping[str, Array], seed: int = 0) -> dict[str, Array]:
    """What NumPy gives, before and after the passes; onnxruntime too, as it is and optimised."""
    inputs = {**given, **{name: np.array(seed) for name in graph.defaults}}
    expected = run(graph, inputs).outputs
    tidy = optimize(graph, 2, evaluate).graph
    for name, array in run(tidy, inputs).outputs.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-5)
    for form in (graph, tidy):
        proto = emit(legalize(form))
        for optimizing in (False, True):
            for name, array in Session(proto, optimize=optimizing, threads=1).run(inputs).items():
                np.testing.assert_allclose(
                    array, expected[name], rtol=1e-4, atol=1e-4, err_msg=name
                )
    return expected


def sequence(length: int, batch: int) -> Array:
    return np.random.default_rng([length, batch]).normal(size=(length, batch, 3)).astype("f")


@pytest.mark.parametrize(("length", "batch"), SIZES)
def test_scan_is_a_loop_in_python(length: int, batch: int) -> None:
    graph = model(
        "  ys = scan (h: float[N, 3] = zeros(), n = 0) over xt = x {\n"
        "    h = tanh(h + xt)\n    n = n + 1\n    yield h, n\n  }\n"
        "  (a, b) = ys\n  output a\n  output b\n  output h\n  output n"
    )
    x = sequence(length, batch)
    found = results(graph, {"x": x})
    h = np.zeros((batch, 3), "f")
    for step in range(length):
        h = np.tanh(h + x[step])
        np.testing.assert_allclose(found["a"][step], h, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["b"], np.arange(1, length + 1))
    np.testing.assert_allclose(found["h"], h, rtol=1e-5, atol=1e-6)
    assert found["n"] == length


@pytest.mark.parametrize(("length", "batch"), SIZES)
def test_axes_and_directions(length: int, batch: int) -> None:
    """A reversed scan gives results that line up with what it goes over."""
    graph = model(
        "  y = scan (s = 0.0) over xt = x axis -2 reverse { s = s + sum(xt)\n    yield s }\n"
        "  (z, w) = scan over xt = x axis 1 { yield xt axis -1, xt axis 1 reverse }\n"
        "  output y\n  output s\n  output z\n  output w"
    )
    x = sequence(length, batch)
    found = results(graph, {"x": x})
    each = x.sum((0, 2))
    np.testing.assert_allclose(found["y"], each[::-1].cumsum()[::-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["s"], each.sum(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found["z"], x.transpose(0, 2, 1))
    np.testing.assert_array_equal(found["w"], x[:, ::-1])


def test_a_body_has_a_scope_of_its_own() -> None:
    graph = model(
        "  k = 2.0\n  s = x\n  y = scan (h = 0.0) over t = x {\n"
        "    k = 3.0\n    s = sum(t) * k\n    h = h + s\n    yield h }\n"
        "  output a = x * k\n  output b = s\n  output h"
    )
    x = sequence(2, 3)
    found = results(graph, {"x": x})
    np.testing.assert_array_equal(found["a"], x * 2)
    np.testing.assert_array_equal(found["b"], x)
    np.testing.assert_allclose(found["h"], 3 * x.sum(), rtol=1e-4)


def test_instances_belong_to_the_block_around() -> None:
    text = (
        "from std import Linear\nmodel M {\n  input x: f32[T, N, 3]\n"
        "  y = scan (h: float[N, 4] = zeros()) over t = x {\n"
        "    h = tanh(t |> Linear(4) as inward) + (h |> Linear(4))\n    yield h }\n"
        "  output y\n  output z = inward.weight\n}\n"
    )
    with pytest.raises(Exception, match="`inward` is not defined"):
        program(text)
    graph = program(text.replace("  output z = inward.weight\n", "")).graph
    assert paths(graph) == ["inward.weight", "inward.bias", "linear.weight", "linear.bias"]
    # what does not vary stands outside of the body
    assert operators(graph) == ["Dims", "Expand", "Transpose", "Transpose", "Scan"]


def test_random_numbers_differ_from_run_to_run() -> None:
    graph = model(
        "  y = scan over t = x {\n    z = scan over u = t { yield normal([2]) }\n"
        "    yield z, uniform([4]) }\n  (a, b) = y\n  output a\n  output b"
    )
    found = results(graph, {"x": sequence(5, 6)}, seed=3)
    assert found["a"].shape == (5, 6, 2)
    assert len(np.unique(found["a"])) == 60
    assert len(np.unique(found["b"])) == 20


def test_update_inside_is_an_error() -> None:
    text = (
        "from std import BatchNorm\nmodel M {\n  input x: f32[T, N, 3]\n"
        "  y = scan over t = x { yield t |> BatchNorm() }\n  output y\n"
        "  train { metric m = mean(y) }\n}\n"
    )
    with pytest.raises(Exception, match="cannot be updated inside a `scan`") as caught:
        program(text)
    assert caught.value.diagnostics[0].code == "NN0323"  # type: ignore[attr-defined]


def test_a_carry_that_is_never_reassigned_is_a_warning() -> None:
    text = (
        "model M {\n  input x: f32[T]\n  y = scan (h = 0.0) over t = x { yield t }\n  output y\n}"
    )
    (warning,) = program(text).warnings
    assert (warning.code, warning.severity) == ("NN0321", "warning")
    assert warning.span is not None
    assert warning.span.text == "h"


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("scan over t = x { h = h + t; yield h }", "h"),
        ("scan over t = x { s = h * t; h = s; yield h }", "h"),
        ("scan over t = x { if n > 2 { h = h + t }; yield h }", "h"),
        ("loop (i = 0) while i < 3 { i = i + 1; h = h * 2; yield h }", "h"),
        ("scan over t = x { n = n + 1; yield t * n }", "n"),
    ],
)
def test_what_a_body_assigns_and_loses_is_a_warning(form: str, name: str) -> None:
    lines = form.replace("; ", "\n").replace("{ ", "{\n")
    text = f"model M {{\n  input x: f32[T]\n  h = 1.5\n  n = 3\n  y = {lines}\n  output y\n}}"
    (warning,) = program(text).warnings
    assert (warning.code, warning.severity) == ("NN0324", "warning")
    assert warning.span is not None
    assert warning.span.text == name
    assert warning.help is not None
    assert f"({name} = {name})" in warning.help


@pytest.mark.parametrize(
    "form",
    [
        "scan (h = h) over t = x { h = h + t; yield h }",
        "scan over t = x { h = t * 2; yield h }",
        "scan over h = x { h = h + 1; yield h }",
        "scan over t = x { z = t; z = z + h; yield z }",
        "scan over t = x { relu = relu(t); yield relu }",
        "scan over t = x { yield sum(stack([t * h for h in [1, 2]])) }",
    ],
)
def test_what_a_body_keeps_or_makes_is_none(form: str) -> None:
    lines = form.replace("; ", "\n").replace("{ ", "{\n")
    text = f"model M {{\n  input x: f32[T]\n  h = 1.5\n  y = {lines}\n  output y\n}}"
    assert not program(text).warnings


@pytest.mark.parametrize(("length", "batch"), SIZES)
def test_loop(length: int, batch: int) -> None:
    graph = model(
        "  r = loop (i = 0, s = 0.0, y = x) while i < 4 {\n"
        "    i = i + 1\n    s = s + sum(y) * float(i)\n    y = y * 0.5 }\n"
        "  output s\n  output y\n  output i\n"
        "  z = loop (k = 0) while k < 5 { k = k + 2\n    yield k * k }\n  output z"
    )
    x = sequence(length, batch)
    found = results(graph, {"x": x})
    np.testing.assert_allclose(found["y"], x / 16, rtol=1e-6)
    assert found["i"] == 4
    np.testing.assert_array_equal(found["z"], [4, 16, 36])


@pytest.mark.parametrize(("length", "batch"), SIZES)
def test_a_carry_with_a_new_dim_may_grow(length: int, batch: int) -> None:
    """Sizes inside are those of the run, and mix with those of the inputs."""
    graph = model(
        "  tokens = loop (tokens: i64[N, L] = start) while sum(tokens) < 40 {\n"
        "    filled = zeros([T, L]) + 1.0\n"
        "    last = tokens[:, -1:] + cast(mean(filled), i64)\n"
        "    tokens = concat([tokens, last], 1)\n  }\n"
        "  output tokens\n  output flat = reshape(tokens, [N * L])",
        "x: f32[T, 3]\n  input start: i64[N, 2]",
    )
    start = np.zeros((batch, 2), np.int64)
    found = results(graph, {"x": np.zeros((length, 3), "f"), "start": start})
    expected = start
    while expected.sum() < 40:
        expected = np.concatenate([expected, expected[:, -1:] + 1], 1)
    np.testing.assert_array_equal(found["tokens"], expected)
    np.testing.assert_array_equal(found["flat"], expected.reshape(-1))


@pytest.mark.parametrize("sign", [-1, 1])
def test_cond(sign: int) -> None:
    graph = model(
        "  (a, b) = cond sum(x) > 0 { y = x * 2\n    yield y, 1 } else { yield zeros(), 2 }\n"
        "  output a\n  output b\n  output c = cond 1 > 2 { yield x } else { yield -x }"
    )
    x = np.abs(sequence(3, 2)) * sign
    found = results(graph, {"x": x})
    np.testing.assert_array_equal(found["a"], x * 2 if sign > 0 else x * 0)
    assert found["b"] == (1 if sign > 0 else 2)
    np.testing.assert_array_equal(found["c"], -x)


def test_a_static_cond_leaves_no_node() -> None:
    graph = model("  output y = cond 2 > 1 { yield x * 2 } else { yield x }")
    assert operators(graph) == ["Mul"]


def test_the_text_form_parses_back() -> None:
    graph = model(
        "  y = scan (h = 0.0, k = 1.0) over a = x reverse, b = x axis 1 {\n"
        "    (h, k) = (k + sum(a), h * 0.5)\n    yield h, k reverse }\n"
        "  (p, q) = y\n  g = grad(sum(p * p) + sum(q), x)\n"
        "  z = loop (i = 0, s: f32[T, T, L] = x) while i < 3 {\n"
        "    i = i + 1\n    s = concat([s, s[:, :, :1]], 2) }\n"
        "  c = cond sum(x) > 0 { yield sum(s) } else { yield 0.5 }\n"
        "  output p\n  output q\n  output g\n  output s\n  output c",
        "x: f32[T, T, 3]",
    )
    x = {"x": sequence(4, 4)}
    expected = run(graph, x).outputs
    first = to_text(graph).text
    again = program(first).graph
    verify(again)
    for name, array in run(again, x).outputs.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    second = to_text(again).text
    assert to_text(program(second).graph).text == second


def test_nesting() -> None:
    graph = model(
        "  y = scan (h: float[3] = zeros()) over t = x {\n"
        "    h = cond sum(t) > 0 {\n"
        "      z = scan (s: float[3] = h) over u = t {\n"
        "        s = s * 0.9 + u * sum(h)\n        yield s }\n"
        "      yield s\n    } else { yield h - sum(t) * float(N) }\n    yield h }\n"
        "  output y"
    )
    results(graph, {"x": sequence(6, 2)})


@pytest.mark.parametrize(("length", "batch"), SIZES)
def test_lists_and_tuples_are_carried(length: int, batch: int) -> None:
    graph = model(
        "  zero = zeros([N, 3])\n"
        "  ys = scan (hs: list[float[N, 3]] = [zeros(), zeros()], p = (zero, [zero + 1, 0.5])) "
        "over xt = x {\n"
        "    hs[0] = tanh(hs[0] + xt)\n    hs[1] = hs[1] + hs[0]\n"
        "    (a, (b, c)) = p\n    p = (a + xt, [b * c, c * 0.5])\n    yield hs[1]\n  }\n"
        "  output ys\n  output h = stack(hs)\n  output a = p[0]\n  output b = p[1][0]\n"
        "  last = scan (hs: list[float[N, 3]] = hs) over xt = x { hs = [xt, hs[0]] }\n"
        "  output l = stack(last)"
    )
    x = sequence(length, batch)
    h = np.zeros((2, batch, 3), "f")
    b, c, ys = np.ones((batch, 3), "f"), 0.5, []
    for xt in x:
        h[0] = np.tanh(h[0] + xt)
        h[1] += h[0]
        b, c = b * c, c * 0.5
        ys.append(h[1].copy())
    got = results(graph, {"x": x})
    for name, wanted in {"ys": np.stack(ys), "h": h, "a": x.sum(axis=0), "b": b}.items():
        np.testing.assert_allclose(got[name], wanted, rtol=1e-5, atol=1e-5, err_msg=name)
    before = x[-2] if length > 1 else h[0]
    np.testing.assert_allclose(got["l"], np.stack([x[-1], before]), rtol=1e-5, atol=1e-5)


GROWING = (
    "  r = loop (kv: list[float[L, N, 3]] = [x, 2 * x], s: float[L, N] = x[:, :, 0], n = 0) "
    "while n < 3 {\n"
    "    kv = [concat([t, mean(t, axis=0, keepdims=true) + 1], 0) for t in kv]\n"
    "    s = concat([s, mean(s, axis=0, keepdims=true)], 0)\n    n = n + 1\n  }\n"
    "  output y = kv[0] + kv[1] + s[:, :, none]"
)


@pytest.mark.parametrize(("length", "batch"), SIZES)
def test_carries_that_name_one_dim_grow_together(length: int, batch: int) -> None:
    graph = model(GROWING)
    assert str(graph.outputs["y"].type) == "f32[L, N, 3]"
    printed = to_text(graph).text
    assert to_text(program(printed).graph).text == printed
    x = sequence(length, batch)
    k, v, s = x, 2 * x, x[:, :, 0]
    for _ in range(3):
        k, v = (np.concatenate([t, t.mean(axis=0, keepdims=True) + 1]) for t in (k, v))
        s = np.concatenate([s, s.mean(axis=0, keepdims=True)])
    np.testing.assert_allclose(results(graph, {"x": x})["y"], k + v + s[:, :, None], rtol=1e-4)


@pytest.mark.parametrize(
    ("statements", "code", "words"),
    [
        (
            "  r = loop (a: float[L, N, 3] = x, b: float[L, N, 3] = x, n = 0) while n < 3 {\n"
            "    a = concat([a, a], 0)\n    b = concat([b, x], 0)\n    n = n + 1\n  }\n"
            "  output y = r[0]",
            "NN0206",
            "`L` is one size, but 2*L in `a` and L + T in `b`",
        ),
        (
            "  r = loop (a: float[L, N, 3] = x, b: float[L, N, 3] = x[:1], n = 0) while n < 3 {\n"
            "    a = concat([a, a], 0)\n    b = a\n    n = n + 1 }\n  output y = r[0]",
            None,
            "assert T == 1",
        ),
        (
            "  r = scan (hs = [x[0], x[0]]) over xt = x { hs = [xt] }\n  output y = r[0]",
            "NN0320",
            "the carry `hs` holds a list of 2, its next value a list of 1",
        ),
        (
            "  r = scan (hs = [x[0], x[0]]) over xt = x { hs = [xt, xt[0]] }\n  output y = r[0]",
            "NN0320",
            "the carry `hs.1` is f32[N, 3], its next value is f32[3]",
        ),
        (
            "  r = scan (hs = [x[0], zeros()]) over xt = x { hs = [xt, xt] }\n  output y = r[0]",
            "NN0206",
            "give the carry a type",
        ),
    ],
)
def test_carries_that_do_not_keep_their_form(statements: str, code: str | None, words: str) -> None:
    text = f"model M {{\n  input x: f32[T, N, 3]\n{statements}\n}}\n"
    if code is None:
        assert words in to_text(program(text).graph).text
        return
    diagnostic = failure(text)
    assert diagnostic.code == code
    assert words in diagnostic.render()
