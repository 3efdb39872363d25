"""Trees of parameters: arithmetic, `with_`, `copy` and updates of whole instances."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from tests.lower.programs import failure, paths, program

TEXT = """
from std import Linear, SGD
block Net(out: int)(x: float[N, D]) { return x |> Linear(7) as a |> tanh |> Linear(out) as b }
model M {
  input x: f32[N, 5]
  net = Net(3)
  output y = net(x)
  target = copy(net)
  output z = target(x)
BODY
}"""


def training(body: str) -> str:
    return TEXT.replace("BODY", f"  train {{\n    input t: f32[N, 3]\n{body}\n  }}")


def test_a_copy_starts_as_the_original_and_is_not_learnt() -> None:
    compiled = program(training("    minimize mse_loss(y, t) by SGD(lr=0.1)"))
    initial = run(compiled.initial, {"seed": np.int64(3)}).outputs
    assert np.array_equal(initial["target.a.weight"], initial["net.a.weight"])
    kinds = {p.path: p.kind for p in compiled.graph.parameters}
    assert kinds["target.b.bias"] == "buffer"
    assert kinds["net.b.bias"] == "param"
    assert not [path for path in compiled.train["train"].step.updates if path.startswith("target")]


def test_a_copy_follows() -> None:
    body = """    minimize mse_loss(y, t) by SGD(lr=0.1)
    update target.params = 0.75 * target.params + 0.25 * net.params"""
    compiled = program(training(body))
    values = run(compiled.initial, {"seed": np.int64(3)}).outputs
    rng = np.random.default_rng(0)
    inputs = {
        "x": rng.standard_normal((4, 5)).astype(np.float32),
        "t": rng.standard_normal((4, 3)).astype(np.float32),
    }
    step = expand_gradients(compiled.train["train"].step)
    after = run(step, inputs, {p.path: values[p.path] for p in step.parameters}).updates
    for name in ("a.weight", "a.bias", "b.weight", "b.bias"):
        expected = 0.75 * values[f"target.{name}"] + 0.25 * after[f"net.{name}"]
        assert np.allclose(after[f"target.{name}"], expected, atol=1e-6)


def test_a_copy_has_parameters_before_it_is_applied() -> None:
    text = training(
        "    slow = copy(net)\n    update slow.params = 0.5 * (slow.params + net.params)\n"
        "    minimize mse_loss(y, t) by SGD(lr=0.1)"
    )
    step = program(text).train["train"].step
    assert [p for p in step.updates if p.startswith("slow")] == [
        f"slow.{name}" for name in ("a.weight", "a.bias", "b.weight", "b.bias")
    ]
    kinds = {p.path: p.kind for p in step.parameters}
    assert kinds["slow.a.weight"] == "buffer"


def test_a_step_inside_a_step() -> None:
    """`with_` applies a net with the parameters that one gradient step would give it."""
    body = """    fast = with_(net, net.params - 0.5 * grad(mse_loss(net(x), t), net))
    metric after = mse_loss(fast(x), t)
    metric before = mse_loss(net(x), t)
    metric size = sum([sum(w * w) for w in net.params])
    minimize mse_loss(fast(x), t) by SGD(lr=0.1)"""
    compiled = program(training(body))
    values = run(compiled.initial, {"seed": np.int64(3)}).outputs
    rng = np.random.default_rng(0)
    inputs = {
        "x": rng.standard_normal((4, 5)).astype(np.float32),
        "t": rng.standard_normal((4, 3)).astype(np.float32),
    }
    step = expand_gradients(compiled.train["train"].step)
    results = run(step, inputs, {p.path: values[p.path] for p in step.parameters}).outputs
    assert results["after"] < results["before"]
    learnt = [values[p.path] for p in compiled.graph.parameters if p.kind == "param"]
    assert np.isclose(results["size"], sum((w * w).sum() for w in learnt), rtol=1e-5)


def test_a_tree_of_gradients_answers_from_its_own_leaves() -> None:
    body = """  g = grad(mean(y), net)
  output whole = g.a.weight
  output below = g.a.params.weight
  output single = grad(mean(y), net.a.weight)"""
    graph = expand_gradients(program(TEXT.replace("BODY", body)).graph)
    values = run(program(TEXT.replace("BODY", "")).initial, {"seed": np.int64(3)}).outputs
    x = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    found = run(graph, {"x": x}, {p.path: values[p.path] for p in graph.parameters}).outputs
    assert np.array_equal(found["whole"], found["single"])
    assert np.array_equal(found["below"], found["single"])
    assert not np.allclose(found["whole"], values["net.a.weight"])


def test_names_of_instances_in_a_list() -> None:
    text = """
from std import Linear
model M {
  input x: f32[N, 5]
  layers = [Linear(5) for i in range(2)]
  head = Linear(3) as "heads.first"
  for layer in layers { x = layer(x) }
  output y = head(x)
}"""
    found = [p for p in paths(program(text).graph) if p.endswith("weight")]
    assert found == ["layers.0.weight", "layers.1.weight", "heads.first.weight"]


@pytest.mark.parametrize(
    ("statement", "code", "says"),
    [
        ("fast = with_(net, net.a)", "NN0201", "no parameter `weight`"),
        ("fast = with_(net)", "NN0202", "`with_` takes"),
        ("w = net.params + net.a", "NN0201", "only one of them has"),
        ("update target.params = net.a", "NN0307", "only one of them has"),
        ("w = net.params.c", "NN0103", "no parameter or block `c`"),
        ("other = copy(3)", "NN0202", "`copy` takes an instance"),
        ('w = net.params as "w"', "NN0302", "the instance that a call makes"),
        ('w = tanh(x) as "w"', "NN0302", "names an instance of a block"),
    ],
)
def test_errors(statement: str, code: str, says: str) -> None:
    found = failure(training(f"    {statement}\n    minimize mse_loss(y, t) by SGD(lr=0.1)"))
    assert found.code == code
    assert says in f"{found.message} {found.label}"
    assert found.span is not None


@pytest.mark.parametrize(
    ("statement", "help"),
    [
        ('w = x |> Linear(3) |> tanh as "w"', 'behind it: `Linear(3) as "w"`'),
        ('w = x |> tanh as "w"', "to name the value, assign it"),
        ('w = x |> Linear(3) |> max(axis=0) as "w"', 'behind it: `Linear(3) as "w"`'),
    ],
)
def test_a_name_behind_the_wrong_stage(statement: str, help: str) -> None:
    found = failure(training(f"    {statement}\n    minimize mse_loss(y, t) by SGD(lr=0.1)"))
    assert found.code == "NN0302"
    assert help in (found.help or "")


def test_a_copy_comes_after_its_original() -> None:
    text = TEXT.replace("BODY", "").replace("  output y = net(x)\n", "")
    assert failure(text).code == "NN0303"
