"""Gradients of control flow: central differences, the unrolled graph, second order, cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.errors import CompileError
from nncomp.inspect.cost import cost
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Graph, Value
from nncomp.ir.verify import verify
from nncomp.ops.control import Loop
from nncomp.ops.conversion import Cast, Identity
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Squeeze
from nncomp.ops.trigonometry import Sin
from nncomp.passes.manager import optimize_step
from nncomp.passes.retype import retype
from nncomp.types import Array, DType, TensorType
from tests.autodiff.support import Net, check_gradients
from tests.lower.programs import program

BODY = """
    z = concat([xt, h], 1) @ w
    c = c * sigmoid(z[:, :2]) + tanh(z[:, 2:]) * ut
    h = h * 0.5 + tanh(c)
"""


def double(statements: str, inputs: str) -> Graph:
    """The graph in float64, with its gradients; `wrt` are the inputs named."""
    declared = "\n".join(f"  input {line}" for line in inputs.split("; "))
    graph = program(f"model M {{\n{declared}\n{statements}\n}}\n").graph
    graph = expand_gradients(retype(graph, {DType.F32: DType.F64}))
    verify(graph)
    return graph


def with_gradients(statements: str, inputs: str) -> Graph:
    """The loss and its gradient with respect to every input, as `d_NAME`."""
    names = [line.split(":")[0] for line in inputs.split("; ")]
    asked = "\n".join(f"  output d_{name} = grad(loss, {name})" for name in names)
    return double(f"{statements}\n  output loss\n{asked}", inputs)


def check(graph: Graph, given: dict[str, Array], rtol: float = 1e-6) -> dict[str, Array]:
    """Gradients are central differences, before and after the passes, and in onnxruntime."""
    loss = dataclasses.replace(graph, outputs={"loss": graph.outputs["loss"]})
    found = run(graph, given).outputs
    for name, x in given.items():
        wanted = np.zeros_like(x)
        for index in np.ndindex(x.shape):
            ends = []
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * 1e-6
                ends.append(float(run(loss, {**given, name: moved}).outputs["loss"]))
            wanted[index] = (ends[0] - ends[1]) / 2e-6
        scale = max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(found[f"d_{name}"], wanted, rtol=0, atol=rtol * scale)
    tidy = optimize_step(graph, evaluate).graph
    for form in (graph, tidy):
        for results in (run(form, given).outputs, Session(emit(legalize(form))).run(given)):
            for name, array in results.items():
                np.testing.assert_allclose(array, found[name], rtol=1e-9, atol=1e-9)
    return found


def randoms(**shapes: tuple[int, ...]) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def test_states_elements_and_captures_over_any_axes() -> None:
    graph = with_gradients(
        "  (a, b) = scan (h = h0, c: float[N, 2] = zeros()) over xt = x axis 1 reverse, ut = u {"
        f"{BODY}    yield h, c * c axis 2\n  }}\n"
        "  loss = sum(a * a * a) + sum(b) + sum(exp(c))",
        "x: f32[N, T, 3]; w: f32[5, 4]; u: f32[T, 2]; h0: f32[N, 2]",
    )
    check(graph, randoms(x=(2, 3, 3), w=(5, 4), u=(3, 2), h0=(2, 2)))


@pytest.mark.parametrize("length", [1, 4])
def test_a_scan_is_its_unrolled_graph(length: int) -> None:
    inputs = f"x: f32[{length}, 2, 3]; w: f32[5, 4]; u: f32[{length}, 2]; start: f32[2, 2]"
    looped = with_gradients(
        "  ys = scan (h = start, c: float[2, 2] = zeros()) over xt = x, ut = u {"
        f"{BODY}    yield h\n  }}\n  loss = sum(ys * ys) + sum(c * h)",
        inputs,
    )
    unrolled = with_gradients(
        f"  h = start\n  c = zeros([2, 2])\n  total = 0.0\n  for t in range({length}) {{\n"
        f"    xt = x[t]\n    ut = u[t]\n{BODY}    total = total + sum(h * h)\n  }}\n"
        "  loss = total + sum(c * h)",
        inputs,
    )
    given = randoms(x=(length, 2, 3), w=(5, 4), u=(length, 2), start=(2, 2))
    expected = run(unrolled, given).outputs
    for name, array in run(looped, given).outputs.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-13)


def test_final_states_alone() -> None:
    """No result of a run is stacked, and the body is linear: nothing need be kept of it."""
    graph = with_gradients(
        "  r = scan (h = h0) over xt = x { h = h * 0.5 + xt }\n  loss = sum(h * h)",
        "x: f32[T, 3]; h0: f32[3]",
    )
    check(graph, randoms(x=(4, 3), h0=(3,)))


def test_states_that_lead_to_nothing_and_states_without_gradient() -> None:
    graph = with_gradients(
        "  y = scan (n = 0, a = 0.0, b = 1.0) over xt = x {\n"
        "    n = n + 1\n    a = a + b * sum(xt) * float(n)\n    b = b * mean(w)\n    yield xt * 2\n"
        "  }\n  loss = sum(y) + a * a",
        "x: f32[T, 3]; w: f32[2]",
    )
    check(graph, randoms(x=(3, 3), w=(2,)))


@pytest.mark.parametrize("seed", [0, 3])
def test_second_order_through_scans_in_scans_and_conds(seed: int) -> None:
    graph = with_gradients(
        "  ys = scan (h = 0.0) over xt = x {\n"
        "    zs = scan (k = h) over e = xt, we = w { k = k * we + sin(e)\n      yield k }\n"
        "    h = sum(zs) * 0.3\n    yield h + mean(w)\n  }\n"
        "  (a, b) = cond sum(x) > 0 { yield sum(ys) * w, 1.0 } else { yield exp(w), h }\n"
        "  first = sum(a * a) + b * mean(x)\n  g = grad(first, x)\n"
        "  loss = sum(g * g) + first",
        "x: f32[T, 3]; w: f32[3]",
    )
    rng = np.random.default_rng(seed)
    check(graph, {"x": rng.normal(size=(4, 3)), "w": rng.normal(size=3)})


def test_a_gradient_inside_a_body() -> None:
    graph = with_gradients(
        "  y = scan (p = p0) over t = x {\n"
        "    loss = sum((p * t - 1.0) * (p * t - 1.0))\n    p = p - 0.1 * grad(loss, p)\n"
        "    yield loss\n  }\n  loss = sum(p * p) + sum(y)",
        "x: f32[T, 3]; p0: f32[3]",
    )
    check(graph, randoms(x=(3, 3), p0=(3,)))


def test_dropout_in_a_body_has_one_mask_for_both_ways() -> None:
    graph = double(
        "  y = scan (h: float[3] = zeros()) over t = x {\n"
        "    h = h + t * cast(uniform([3]) > 0.5, f32)\n    yield h\n  }\n"
        "  output loss = sum(h)\n  output d_x = grad(sum(h), x)\n  output h",
        "x: f32[T, 3]",
    )
    x = np.ones((6, 3))
    found = run(graph, {"x": x, "seed": np.int64(1)}).outputs
    assert set(np.unique(found["d_x"])) == {0.0, 1.0}
    np.testing.assert_allclose(found["d_x"].sum(0), found["h"])


LOOPS = {
    "static": "loop (i = 0, h = x) while i < 3 { h = sin(h) * w\n i = i + 1 }",
    "a dim": "loop (i = 1, h = x) while i <= T { h = sin(h) * w\n i = i + 1 }",
    "in steps": "loop (i = 0, h = x) while T > i { h = h * w + float(i)\n i = i + 2 }",
    "down": "loop (i = T, h = x) while i > 0 { h = sin(h) * w\n i = i - 1 }",
    "no run for some sizes": "loop (i = 1, h = x) while i < T { h = sin(h) * w\n i = i + 1 }",
    "no run": "loop (i = 5, h = x) while i < 3 { h = sin(h) * w\n i = i + 1 }",
    "elements": "loop (i = 0, h = x) while i < T { h = h * u[i] + w\n i = i + 1 }",
    "two counters": "loop (i = 0, j = 7, h = x) while j >= 2 {"
    " h = sin(h) * w * float(i)\n i = i + 1\n j = j - 2 }",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_counted_loop(loop: str) -> None:
    graph = with_gradients(
        f"  r = {loop}\n  loss = sum(h * h) + sum(u)", "x: f32[2]; w: f32[2]; u: f32[T]"
    )
    assert not any(isinstance(node.op, Loop) for node in graph.nodes)
    for length in (1, 4):
        check(graph, randoms(x=(2,), w=(2,), u=(length,)))


def test_what_a_counted_loop_yields() -> None:
    """Its length, unknown of a Loop, is that of the tensor it goes over."""
    graph = with_gradients(
        "  ys = loop (i = 0, h = x) while i < T {\n"
        "    h = sin(h) * w\n    i = i + 1\n    yield h * h\n  }\n"
        "  loss = sum(mean(ys * ys, axis=1)) + mean(ys)",
        "x: f32[2]; w: f32[2]; u: f32[T]",
    )
    check(graph, randoms(x=(2,), w=(2,), u=(3,)))


def test_what_a_loop_that_may_not_run_yields() -> None:
    """One element less than the tensor has, so none for one of length 1."""
    graph = with_gradients(
        "  ys = loop (i = 1, h = x) while i < T {\n"
        "    h = sin(h) * w\n    i = i + 1\n    yield h * h\n  }\n"
        "  loss = sum(ys * ys) + sum(h * u[0])",
        "x: f32[2]; w: f32[2]; u: f32[T]",
    )
    for length in (1, 2, 5):
        check(graph, randoms(x=(2,), w=(2,), u=(length,)))


def test_loops_inside_bodies_and_second_order() -> None:
    graph = with_gradients(
        "  ys = scan (h = 0.0) over t = x {\n"
        "    r = loop (i = 0, k = h) while i < 3 { k = sin(k) * w + t\n      i = i + 1 }\n"
        "    h = sum(k)\n    yield h\n  }\n"
        "  first = sum(ys * ys)\n  g = grad(first, x)\n  loss = sum(g * g) + first",
        "x: f32[T]; w: f32[]",
    )
    check(graph, randoms(x=(3,), w=()))


def test_a_loop_of_onnx_with_a_number_of_runs() -> None:
    """M is given, the condition stays true, as in imported graphs."""
    net = Net()
    x, w = net.input(3), net.input(3)
    step, going = Value(TensorType(DType.I64, ()), "step"), Value(TensorType(DType.BOOL, ()), "go")
    h, inner = Value(x.type, "h"), Value(w.type, "w")
    b = Builder()
    y = b(Mul(), b(Add(), h, b(Cast(DType.F64), step)), inner)
    outputs = {"go": b(Identity(), going), "h": y, "y": b(Sin(), y)}
    body = Body("loop", (step, going, h, inner), (), tuple(b.nodes), outputs, captures=1)
    runs = net(Squeeze(), net.b.dims((4,)))
    last, stacked = net.b.multi(Loop(body), runs, None, x, w)
    loss = net(Add(), net(ReduceSum(keepdims=0), stacked), net(ReduceSum(keepdims=0), last))
    check_gradients(net, loss, np.random.default_rng(0).normal(size=(2, 3)))


UNCOUNTED = {
    "loop (h = x) while sum(h) < 9 { h = h * 2 }": "compares no counter",
    "loop (i = 0, h = x) while i < n { h = h * 2\n i = i + 1 }": "the limit is no dim",
    "loop (i = n, h = x) while i < 3 { h = h * 2\n i = i + 1 }": "the first value of `i`",
    "loop (i = 1, h = x) while i < 9 { h = h * 2\n i = i * 2 }": "by a constant",
    "loop (i = 1, h = x) while i < 9 { h = h * 2\n i = i - 1 }": "towards the limit",
    "loop (i = 0, h: f32[L] = x) while i < 3 { h = concat([h, h], 0)\n i = i + 1 }": "its shape",
}


@pytest.mark.parametrize(("loop", "reason"), UNCOUNTED.items())
def test_a_loop_without_a_known_number_of_runs(loop: str, reason: str) -> None:
    graph = program(
        f"model M {{\n  input x: f32[T]\n  input n: i64[]\n  r = {loop}\n"
        "  output d = grad(sum(h), x)\n}\n"
    ).graph
    with pytest.raises(CompileError) as caught:
        expand_gradients(graph)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "NN0401"
    assert reason in diagnostic.message
    assert "scan" in diagnostic.message
    assert diagnostic.span is not None


def test_a_gradient_of_what_a_loop_does_not_touch() -> None:
    graph = with_gradients(
        "  y = loop (i = 0) while i < 3 { i = i + 1 }\n  loss = sum(x * x) * float(y)",
        "x: f32[T]",
    )
    check(graph, randoms(x=(3,)))


def test_cost_does_not_depend_on_the_length() -> None:
    sizes, written = [], []
    for length in (4, 512):
        text = (
            f"from std import LSTM\nmodel M {{\n  input x: f32[{length}, 8, 16]\n"
            "  net = LSTM(32)\n  y = net(x)\n  output y\n"
            "  train { minimize mean(y * y) by Adam(lr=1.0) }\n}\n"
        ).replace("import LSTM", "import LSTM\nfrom std.optim import Adam")
        step = optimize_step(expand_gradients(program(text).train["train"].step), evaluate).graph
        sizes.append(len(step.nodes))
        written.append(cost(step).written)
    assert sizes[0] == sizes[1]
    assert written[1] < written[0] / 4 * 512 * 1.05  # what a step writes grows as the length
