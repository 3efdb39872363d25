"""What programs mean: names, paths, dims, static evaluation, sharing, modes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncomp.ir.verify import verify
from nncomp.lower.modules import read_source
from nncomp.lower.program import lower
from tests.lower.programs import STD, body, operators, paths, program


def shape(text: str, name: str = "y") -> str:
    return str(body(text).graph.outputs[name].type)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("x + 1", "f32[N, 3, 8, 10]"),
        ("1 - x", "f32[N, 3, 8, 10]"),
        ("x[0]", "f32[3, 8, 10]"),
        ("x[:, 1:]", "f32[N, 2, 8, 10]"),
        ("x[..., -1]", "f32[N, 3, 8]"),
        ("x[1]", "f32[3, 8, 10]"),
        ("x[-2, none, 1]", "f32[1, 8, 10]"),
        ("x[:, none, :, 2:6:2]", "f32[N, 1, 3, 2, 10]"),
        ("x[:, :, ::-1]", "f32[N, 3, 8, 10]"),
        ("x |> flatten", "f32[N, 240]"),
        ("reshape(x, [N, 3 * H, W])", "f32[N, 24, 10]"),
        ("transpose(x)", "f32[N, 3, 10, 8]"),
        ("x @ transpose(x)", "f32[N, 3, 8, 8]"),
        ("mean(x, axis=[2, 3])", "f32[N, 3]"),
        ("sum(x)", "f32[]"),
        ("max(x, axis=1, keepdims=true)", "f32[N, 1, 8, 10]"),
        ("mean(x > 0)", "f32[]"),
        ("x > 0", "bool[N, 3, 8, 10]"),
        ("x > 0 and not (x > 1)", "bool[N, 3, 8, 10]"),
        ("argmax(x, axis=1)", "i64[N, 8, 10]"),
        ("cast(x, f16)", "f16[N, 3, 8, 10]"),
        ("f32([1, 2, 3])[:, none, none] * x", "f32[N, 3, 8, 10]"),
        ("max_pool(x, 2)", "f32[N, 3, 4, 5]"),
        ("avg_pool(x, 3, stride=2, pad=1)", "f32[N, 3, 4, 5]"),
        ("x / sqrt(N)", "f32[N, 3, 8, 10]"),
        ("concat([x, x, x], axis=1)", "f32[N, 9, 8, 10]"),
        ("stack([x, x], axis=0)", "f32[2, N, 3, 8, 10]"),
        ("one_hot(argmax(x, axis=1), 3)", "f32[N, 8, 10, 3]"),
        ("where(x > 0, x, 0.5)", "f32[N, 3, 8, 10]"),
        ("clip(x, 0, 6)", "f32[N, 3, 8, 10]"),
        ("x ** 2", "f32[N, 3, 8, 10]"),
        ("sum([x, x, x])", "f32[N, 3, 8, 10]"),
    ],
)
def test_types_of_expressions(expression: str, expected: str) -> None:
    assert shape(f"  s: float[N, C, H, W] = x\n  output y = {expression}") == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2 ** 10", 1024),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 / 2", 3.5),
        ("len([1, 2] + [3])", 3),
        ("[i * i for i in range(5) if i % 2 == 1][1]", 9),
        ("[a + b for (a, b) in zip([1, 2], [10, 20])][-1]", 22),
        ("sum([1, 2, 3])", 6),
        ("max(3, 5)", 5),
        ("prod([2, 3, 4])", 24),
        ("1 if 2 in [1, 2] else 0", 1),
        ("[1, 2, 3][::-1][0]", 3),
        ("sqrt(16)", 4),
        ("int(2.9)", 2),
        ("1 if not (1 > 2 or 3 < 2) and true else 0", 1),
        ("-2 ** 2", -4),
    ],
)
def test_static_expressions(expression: str, expected: float) -> None:
    compiled = body(f"  output y = f32({expression})")
    node = compiled.graph.outputs["y"].node
    assert node is not None
    assert node.op.value.array.item() == expected


def test_modes_give_the_same_paths_and_different_graphs() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 4, 6, 6]
  h = x |> Conv(8, 3) |> BatchNorm() |> relu |> Dropout(0.5) |> flatten
  logits = h |> Linear(3)
  output logits
  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by Adam(lr=1e-3)
  }
}"""
    )
    compiled = program(text)
    step = compiled.train["train"].step
    assert "BatchNormalization" in operators(compiled.graph)
    assert "Random" not in operators(compiled.graph)
    assert {"BatchNormTraining", "Random", "Grad"} <= set(operators(step))
    assert set(paths(compiled.graph)) <= set(paths(step))
    assert [v.name for v in step.inputs][:2] == ["x", "label"]
    assert step.defaults["lr"] == pytest.approx(1e-3)
    assert "batch_norm.running_mean" in step.updates
    assert "adam.conv.weight.m" in step.updates
    assert set(step.updates) == set(compiled.initial.outputs)
    evaluation = compiled.train["train"].evaluation
    assert list(evaluation.outputs) == ["loss"]
    assert not evaluation.updates


def test_symbolic_input_dims() -> None:
    text = """
model M {
  input image: f32[N, 3, 8*h, 16*h]
  y: float[N, C, H, W] = image |> max_pool(8)
  output y
}"""
    assert str(program(text).graph.outputs["y"].type) == "f32[N, 3, h, 2*h]"


def test_several_minimizers_have_their_own_parameters_and_rates() -> None:
    text = (
        STD
        + """
block Net(out: int)(x: float[N, D]) { return x |> Linear(8) |> relu |> Linear(out) }
model GAN(latent: int = 5) {
  G = Net(2)
  D = Net(1)
  entry sample {
    input z: f32[N, latent]
    output fake = G(z)
  }
  train {
    input real: f32[N, 2]
    fake = G(normal([N, latent]))
    right = mean(softplus(-D(real)))
    minimize right + mean(softplus(D(stop_gradient(fake)))) over D by Adam(lr=2e-4)
    minimize mean(softplus(-D(fake))) over G by SGD(lr=3e-4)
  }
}"""
    )
    compiled = program(text)
    step = compiled.train["train"].step
    assert list(compiled.entries) == ["sample"]
    assert set(step.defaults) == {"adam.lr", "sgd.lr", "seed", "step"}
    assert list(step.outputs) == ["loss", "loss_2"]
    assert {p for p in step.updates if p.startswith("adam.G")} == set()
    assert {p.split(".")[0] for p in step.updates} == {"adam", "D", "G"}


def test_names_in_call_position_skip_tensors() -> None:
    assert shape("  mean = mean(x)\n  output y = mean(x) + mean") == "f32[]"


def test_soft_keywords_are_names() -> None:
    assert shape("  state = x\n  update = state + 1\n  output y = update") == "f32[N, 3, 8, 10]"


def test_optional_tensors() -> None:
    text = """
fn masked(x: float[N, D], mask: bool[N, D]? = none) = x if mask == none else where(mask, x, 0.0)
model M {
  input x: f32[N, 5]
  input mask: bool[N, 5]
  output a = masked(x)
  output y = masked(x, mask)
}"""
    assert operators(program(text).graph) == ["Where"]


def test_raw_results_can_be_unpacked() -> None:
    graph = body(
        "  (y, where) = onnx.MaxPool(x, kernel_shape=[2, 2])\n  output y\n  output where"
    ).graph
    assert [str(v.type) for v in graph.outputs.values()] == ["f32[N, 3, 7, 9]", "i64[N, 3, 7, 9]"]


def test_long_programs_need_no_deep_recursion() -> None:
    graph = body("  output y = x" + " + x" * 200).graph
    assert len(graph.nodes) == 200
    graph = body("  output y = x" + " |> relu" * 200).graph
    assert len(graph.nodes) == 200


def test_the_same_source_gives_the_same_graph() -> None:
    text = "  output y = dropout_free(x)\n"
    text = text.replace("dropout_free", "relu")
    first, second = body(text).graph, body(text).graph
    assert operators(first) == operators(second)


def test_constants_are_shared_between_files(tmp_path: Path) -> None:
    (tmp_path / "sizes.nn").write_text(
        "BASE = 4\nWIDTHS = [BASE, 2 * BASE]\nfn twice(x) = x * BASE"
    )
    (tmp_path / "main.nn").write_text(
        "from sizes import WIDTHS, twice\nimport sizes\n"
        "model M { input x: f32[N, WIDTHS[1], sizes.BASE]\n output y = twice(x) }"
    )
    graph = lower(read_source(tmp_path / "main.nn")).graph
    assert str(graph.outputs["y"].type) == "f32[N, 8, 4]"


def test_a_section_sees_what_stands_above_it() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 4]
  y = x |> Linear(1)
  buffer calls: i64[] = 0
  train {
    minimize mean(y) by Adam(lr=1e-3)
    update calls = calls + 1
  }
  output y
}"""
    )
    section = program(text).train["train"]
    assert list(section.step.outputs) == ["loss"]
    assert "calls" in section.step.updates
    assert [v.name for v in section.evaluation.inputs] == ["x"]
    assert not section.evaluation.updates


def test_rates_of_repeated_steps_have_names_of_their_own() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 4]
  y = x |> Linear(1)
  train { for i in range(2) { minimize mean(y) by SGD(lr=0.1 * (i + 1)) } }
}"""
    )
    assert program(text).train["train"].step.defaults == {
        "sgd.0.lr": 0.1,
        "sgd.1.lr": 0.2,
        "step": 0,
    }


def test_an_input_of_the_name_of_a_rate_is_another_input() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 4]
  input lr: f32[] = 0.5
  y = x |> Linear(1)
  train { minimize mean(y) * lr by SGD(lr=0.25) }
}"""
    )
    assert program(text).train["train"].step.defaults == {"lr": 0.5, "sgd.lr": 0.25, "step": 0}


def test_initial_values_may_come_from_constants_of_the_model() -> None:
    statements = "  table = f32([1, 2]) * 2\n  param w: float[2] = 3 * table\n  output y = w"
    initial = body(statements).initial
    known = set(initial.inputs)
    for node in initial.nodes:
        assert set(node.operands) <= known
        known |= set(node.outputs)
    assert initial.outputs["w"] in known


def test_a_dim_may_have_the_name_of_a_declaration() -> None:
    text = "fn H(x) = x\nmodel M { input x: f32[N, H, M]\n output y = H(x) }"
    assert str(program(text).graph.outputs["y"].type) == "f32[N, H, M]"


def test_operators_without_operands_take_attributes_by_position() -> None:
    assert shape("  output y = nncomp.Dims([N, 3])") == "i64[2]"
    assert shape("  output y = onnx.ConstantOfShape(i64([2]), value=f16([1]))") == "f16[2]"


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f64"])
def test_parameters_of_other_dtypes_are_learnt(dtype: str) -> None:
    text = f"""from std import Linear
from std.optim import Adam, SGD
model M {{
  input x: {dtype}[N, 5]
  y = x |> Linear(3)
  output y
  train {{ minimize mean(y * y) by Adam(lr=0.1) }}
}}"""
    step = program(text).train["train"].step
    assert {str(p.value.type.dtype) for p in step.parameters} == {dtype}
    rate = next(v for v in step.inputs if v.name == "lr")
    assert str(rate.type) == ("f64[]" if dtype == "f64" else "f32[]")


def test_numbers_beside_a_mask_are_numbers() -> None:
    graph = body("  output a = where(x > 0, 1, 0)\n  output b = where(x > 0, x > 1, true)").graph
    assert [str(v.type.dtype) for v in graph.outputs.values()] == ["f32", "bool"]


def test_what_calls_itself_behind_a_condition_ends() -> None:
    tree = "fn tree(x, n) {\n  if n == 0 { return relu(x) }\n"
    tree += "  return tree(x, n - 1) + tree(x + n, n - 1)\n}\n"
    graph = program(f"{tree}model M {{ input x: f32[N]\n output y = tree(x, 9) }}").graph
    assert sum(node.op.name == "Relu" for node in graph.nodes) == 2**9


def test_draws_that_nothing_reads_need_no_seed() -> None:
    compiled = program(
        STD
        + """
model M {
  input x: f32[N, 8]
  h = x |> Linear(8)
  noise = normal([8])
  output y = h
  entry quiet {
    unread = uniform([8])
    output h
  }
  entry noisy { output z = h + noise }
  train {
    input label: i64[N]
    minimize cross_entropy(h, label) by Adam(0.1)
  }
}"""
    )
    given = {name: list(graph.defaults) for name, graph in compiled.entries.items()}
    assert given == {"quiet": [], "noisy": ["seed", "step"]}
    graphs = [compiled.graph, *compiled.entries.values(), compiled.train["train"].evaluation]
    for graph in graphs:
        verify(graph)
        assert set(graph.defaults) <= {value.name for value in graph.inputs}
    assert [value.name for value in compiled.graph.inputs] == ["x"]
