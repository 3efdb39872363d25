"""What repeats is copied, and the graphs are the same as if it had been run again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nncomp.driver.programs import graphs
from nncomp.files import read_source
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.limits import limited
from nncomp.lower.context import Context
from nncomp.lower.loading import Loaded
from nncomp.lower.program import Program, lower, models
from nncomp.lower.repeating import Repeats
from nncomp.lower.values import Arguments, Instance
from nncomp.source import SourceFile

MODELS = Path(__file__).parents[2] / "models"


class Counting(Repeats):
    """Counts the applications that are run, by block; runs all of them if nothing `repeats`."""

    def __init__(self, *, repeats: bool) -> None:
        super().__init__()
        self.repeats = repeats
        self.runs: dict[str, int] = {}

    def apply(
        self,
        ctx: Context,
        instance: Instance,
        arguments: Arguments,
        run: Callable[[], Any],
        target: str | None = None,
    ) -> Any:
        def counted() -> Any:
            name = instance.factory.decl.name.text
            self.runs[name] = self.runs.get(name, 0) + 1
            return run()

        if not self.repeats:
            return counted()
        return super().apply(ctx, instance, arguments, counted, target)


def shown(graph: Graph) -> tuple[Any, ...]:
    """All that a graph says."""
    return (
        str(to_text(graph, comments=True)),
        [(node.origin, [v.name for v in node.outputs]) for node in graph.nodes],
        [(p.path, p.kind, p.value.type) for p in graph.parameters],
        [str(o) for o in graph.obligations],
    )


def both(source: SourceFile, model: str | None = None) -> tuple[Program, dict[str, int]]:
    """The program, which is the same if every application is run; and how often blocks were."""
    loaded, memory = Loaded(source), Counting(repeats=True)
    plain = lower(loaded, model, memory=Counting(repeats=False))
    program = lower(loaded, model, memory=memory)
    for one, other in zip(graphs(program), graphs(plain), strict=True):
        assert shown(one) == shown(other)
    assert shown(program.initial) == shown(plain.initial)
    assert program.warnings == plain.warnings
    return program, memory.runs


@pytest.mark.parametrize(
    "name", ["alphazero", "capsnet", "dcgan", "dqn", "gpt", "lstm", "resnet", "rlhf", "unet", "vae"]
)
def test_models_are_the_same(name: str) -> None:
    source = read_source(MODELS / f"{name}.nn")
    for model in models(source):
        both(source, model)


HEAD = "from std import BatchNorm, Conv, Linear, SGD\n"


def program(text: str) -> tuple[Program, dict[str, int]]:
    return both(SourceFile("m.nn", HEAD + text))


LAYERS = """
block Layer(width: int)(x: float[N, D]) -> float[N, D] {
  return x + (x |> Linear(width) |> relu |> Linear(D))
}
model M {
  input x: f32[N, 8]
  for i in range(5) { x = x |> Layer(16) }
  output y = x |> Layer(24) |> Linear(2)
  train {
    input label: i64[N]
    minimize cross_entropy(y, label) by SGD(lr=0.1)
  }
}
"""


def test_layers_are_run_once_for_all_graphs() -> None:
    found, runs = program(LAYERS)
    assert runs["Layer"] == 2 * 2  # of each width, while training and not
    assert runs["SGD"] == 9  # shapes of parameters
    values = [v for path, v in found.initial.outputs.items() if path.startswith("layer.")]
    assert len(set(values)) == 5 * 4


def test_results_are_named_where_they_are_used() -> None:
    found, _ = program("""
block Layer()(x) { return relu(x |> Linear(8)) }
model M {
  input x: f32[N, 8]
  first = x |> Layer()
  second = first |> Layer()
  output y = second + first
}
""")
    assert [v.name for n in found.graph.nodes if n.op.name == "Relu" for v in n.outputs] == [
        "first",
        "second",
    ]


def test_an_instance_that_is_applied_twice() -> None:
    """Its parameters are there already; so are those inside it."""
    found, runs = program("""
block Inner()(x) { return x |> Linear(8) as fc }
block Outer()(x) { return x |> Inner() as inner |> tanh }
model M {
  input x: f32[N, 8]
  (a, b) = (Outer(), Outer())
  output y = a(b(a(b(x + 1))))
}
""")
    assert [p.path for p in found.graph.parameters] == [
        f"{outer}.inner.fc.{name}" for outer in ("b", "a") for name in ("weight", "bias")
    ]
    assert runs["Outer"] == 3


@pytest.mark.parametrize(
    "block",
    [
        "block B()(x) { return x |> drop(0.5) |> Linear(8) }",  # draws
        "block B()(x: float[N, D]) { assert N <= 99\n  return x |> Linear(D) }",  # obliges
        "block B()(x) { g = grad(sum(square(x)), x)\n  return g |> Linear(8) }",
        "block B()(x) { y = scan (h: float[8] = zeros()) over r = x { h = h + r\n  yield h }\n"
        "  return y |> Linear(8) }",
    ],
)
def test_what_does_more_is_run(block: str) -> None:
    found, runs = program(f"""
{block}
model M {{
  input x: f32[N, 8]
  output y = x |> B() |> B() |> B()
  train {{ minimize mean(y) by SGD(lr=0.1) }}
}}
""")
    assert runs["B"] >= 3
    assert all(len(graph.obligations) == ("assert" in block) for graph in graphs(found))


def test_running_means_are_updated() -> None:
    found, runs = program("""
block B()(x) { return x |> BatchNorm() |> tanh }
model M {
  input x: f32[N, 8, 4]
  output y = (x + 1) |> B() |> B() |> B()
  train { minimize mean(y) by SGD(lr=0.1) }
}
""")
    assert runs["B"] == 2
    step = found.train["train"].step
    means = [step.updates[f"{b}.batch_norm.running_mean"] for b in ("b", "b_2", "b_3")]
    assert len(set(means)) == 3


def test_a_doubt_about_one_application() -> None:
    """A loss of probabilities is doubted, of logits it is not: both have one type."""
    found, _ = program("""
block Loss()(x: float[N, C], label) { return cross_entropy(x |> transpose |> transpose, label) }
model M {
  input x: f32[N, 8]
  input label: i64[N]
  output a = Loss()(x + 1, label)
  output b = Loss()(softmax(x), label)
}
""")
    assert [w.code for w in found.warnings] == ["NN0409"]


def test_initial_values_of_another_graph() -> None:
    found, _ = program("""
block B(width: int)(x) { return x |> Linear(width) as fc }
model M {
  input x: f32[N, 8]
  output y = x |> B(8) as first |> B(8) as second
  entry other { output z = x |> B(8) as third |> B(8) as fourth }
}
""")
    assert set(found.initial.outputs) == {
        f"{name}.fc.{own}"
        for name in ("first", "second", "third", "fourth")
        for own in ("weight", "bias")
    }


def test_two_steps_for_one_parameter() -> None:
    _, runs = program("""
model M {
  input x: f32[N, 8]
  output y = x |> Linear(8) as a |> Linear(8) as b |> Linear(8)
  train {
    minimize mean(y) by SGD(lr=0.1)
    minimize mean(y * y) by SGD(lr=0.1, momentum=0.9)
    minimize mean(y * y * y) by SGD(lr=0.1, momentum=0.9)
  }
}
""")
    assert runs["SGD"] == 4  # weights and biases, with and without momentum


def test_an_argument_is_named_inside() -> None:
    """What a block calls its argument is the name of a value that had none before."""
    found, _ = program("""
block B()(x) {
  y = x
  return y |> Linear(8)
}
model M {
  input x: f32[N, 8]
  output z = x |> B() |> B() |> B() |> B()
}
""")
    assert [v.name for n in found.graph.nodes if n.op.name == "Add" for v in n.outputs] == [
        "y",
        "y",
        "y",
        "z",
    ]


def test_an_update_is_named_outside() -> None:
    found, _ = program("""
block B()(x: float[N, D]) {
  buffer total: float[D] = zeros()
  update total = total + sum(x, axis=0)
  return x + total
}
model M {
  input x: f32[N, 8]
  (a, b) = (B(), B())
  y = a(x)
  first = a.total
  output z = b(y)
  output first
}
""")
    assert found.graph.updates["b.total"].name == ""


def test_a_copy_counts_as_what_it_copies() -> None:
    """A text allows steps where it is used: the copy in the entry needs those of `B` in it."""
    many = "  y = y" + 99 * " + x" + "\n"
    block = "block B()(x) {\n" + 30 * "  # a line\n" + "  y = x\n" + 7 * many + "  return y\n}\n"
    with limited(nodes=3_200):
        _, runs = program(f"""
{block}
block Outer()(x) {{ return x |> B() }}
model M {{
  input x: f32[N, 8]
  output y = x |> Outer()
  entry twice {{ output z = 2 * y }}
}}
""")
    assert runs["Outer"] == 1
