"""`jvp` in programs: central differences, Hessian-vector products, control flow."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.graph import Graph
from nncomp.ir.verify import verify
from nncomp.passes.manager import optimize_step
from nncomp.passes.retype import retype
from nncomp.types import Array, DType
from tests.lower.programs import failure, program

SCAN = """
    ys = scan (h = h0) over xt = x axis 1 {
      h = tanh(h @ w + xt)
      yield h * h
    }
    y = ys * 2.0 + unsqueeze(h, 0)
"""
COND = "    y = cond mean(x) > 0 { yield x * x } else { yield exp(x) }\n"


def graph_of(statements: str, inputs: str) -> Graph:
    declared = "\n".join(f"  input {line}" for line in inputs.split("; "))
    graph = program(f"model M {{\n{declared}\n{statements}\n}}\n").graph
    graph = expand_gradients(retype(graph, {DType.F32: DType.F64}))
    verify(graph)
    return graph


def check(statements: str, shapes: dict[str, tuple[str, tuple[int, ...]]]) -> Graph:
    """`y`'s jvp along a tangent of every input, beside central differences of `y`; in NumPy and
    onnxruntime, before and after the passes."""
    inputs = "; ".join(f"{name}: f32[{dims}]" for name, (dims, _) in shapes.items())
    tangents = "; ".join(f"t_{name}: f32[{dims}]" for name, (dims, _) in shapes.items())
    xs, ts = ", ".join(shapes), ", ".join(f"t_{name}" for name in shapes)
    asked = f"{statements}\n  output y\n  output dy = jvp(y, [{xs}], [{ts}])"
    graph = graph_of(asked, f"{inputs}; {tangents}")
    rng = np.random.default_rng(0)
    given: dict[str, Array] = {n: rng.normal(size=shape) for n, (_, shape) in shapes.items()}
    along: dict[str, Array] = {n: rng.normal(size=shape) for n, (_, shape) in shapes.items()}
    feeds = {**given, **{f"t_{name}": t for name, t in along.items()}}
    ends = [
        run(graph, {**feeds, **{n: x + s * 1e-6 * along[n] for n, x in given.items()}}).outputs["y"]
        for s in (1, -1)
    ]
    wanted = (ends[0] - ends[1]) / 2e-6
    tidy = optimize_step(graph, evaluate).graph
    for form in (graph, tidy):
        for found in (run(form, feeds).outputs, Session(emit(legalize(form))).run(feeds)):
            scale = max(1.0, float(np.abs(wanted).max()))
            np.testing.assert_allclose(found["dy"], wanted, rtol=0, atol=1e-6 * scale)
    return tidy


def test_along_several_values() -> None:
    statements = "  y = tanh(x @ w) * sum(x) + max(w)"
    check(statements, {"x": ("N, 3", (4, 3)), "w": ("3, 5", (3, 5))})


def test_through_a_scan() -> None:
    shapes = {"x": ("N, T, 3", (2, 4, 3)), "w": ("3, 3", (3, 3)), "h0": ("N, 3", (2, 3))}
    check(SCAN, shapes)


def test_through_a_cond() -> None:
    check(COND, {"x": ("N, 3", (4, 3))})


def test_of_a_gradient_is_a_hessian_product() -> None:
    check("  y = grad(sum(exp(x @ x * 0.1)), x)", {"x": ("3, 3", (3, 3))})


def test_no_dependence_gives_zeros() -> None:
    graph = graph_of("  output dy = jvp(exp(x), z, z)", "x: f32[N, 3]; z: f32[N]")
    found = run(graph, {"x": np.ones((2, 3)), "z": np.ones(2)}).outputs["dy"]
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


def test_nothing_is_left_of_the_backward_pass() -> None:
    """A forward derivative costs about one forward pass: of a chain of n nodes, few times n."""
    chain = "".join(f"    x{i + 1} = tanh(x{i})\n" for i in range(20))
    statements = "  x0 = x\n" + chain + "  y = x20"
    tidy = check(statements, {"x": ("N, 3", (2, 3))})
    assert len(tidy.nodes) <= 20 * 5


def test_trees_and_instances() -> None:
    net = """
from std import Linear

model M {
  input x: f32[N, 3]
  net = Linear(2)
  y = net(x)
  output y
  output along_itself = jvp(y, net, net.params)
}
"""
    graph = expand_gradients(program(net).graph)
    rng = np.random.default_rng(0)
    weights = {
        p.path: rng.normal(size=p.value.shape).astype(np.float32)  # type: ignore[arg-type]
        for p in graph.parameters
    }
    x = rng.normal(size=(4, 3)).astype(np.float32)
    found = run(graph, {"x": x}, weights).outputs
    np.testing.assert_allclose(found["along_itself"], found["y"], rtol=1e-5)


@pytest.mark.parametrize(
    ("expression", "code", "words"),
    [
        ("jvp(x, x)", "NN0202", ["takes 3 values"]),
        ("jvp(x, x, sum(x))", "NN0205", ["f32[]", "f32[N, 3]"]),
        ("jvp(x, [x], x)", "NN0201", ["tangent for each"]),
        ("jvp(x, 3, x)", "NN0201", ["the int 3"]),
        ("jvp(x > 0, x, x)", "NN0401", ["bool[N, 3]"]),
        ("jvp(x, x > 0, x > 0)", "NN0401", ["bool[N, 3]"]),
    ],
)
def test_refusals(expression: str, code: str, words: list[str]) -> None:
    found = failure(f"model M {{\n  input x: f32[N, 3]\n  output y = {expression}\n}}\n")
    assert found.code == code
    for word in words:
        assert word in str(found)
