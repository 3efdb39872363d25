"""What a program asserts of symbolic dims: decided, or left to the run and checked before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nncomp.backends.ort.obligations import OBLIGATIONS_KEY
from nncomp.backends.ort.session import Session
from nncomp.driver.model import Model
from nncomp.errors import CompileError, Diagnostic
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.passes.manager import optimize
from tests.lower.programs import failure, operators, program

HEAD = "input a: f32[N, T]\n  input b: f32[M, S]\n  "


def model(statements: str, head: str = HEAD) -> str:
    return f"model M {{\n  {head}{statements}\n}}\n"


def obligations(graph: Graph) -> list[str]:
    return [str(obligation) for obligation in graph.obligations]


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("N == M", ["N == M"]),
        ("N == N and T >= 1", []),
        ("N == M and T % 2 == 0", ["N == M", "T % 2 == 0"]),
        ("N == 1 or N == M", ["N == 1 or N == M"]),
        ("N == N or N == M", []),
        ("N != N or N == M", ["N == M"]),
        ("N == M or (T == 2 and S == 3)", ["N == M or T == 2", "N == M or S == 3"]),
        ("a.shape == b.shape", ["N == M", "T == S"]),
        ("a.shape[1:] == [4]", ["T == 4"]),
        ("a.shape != b.shape", ["N != M or T != S"]),
        ("len(a.shape) == 2 and T < 512", ["T < 512"]),
        ("N == M and N == M", ["N == M"]),
        ("M in [M, 3]", []),
    ],
)
def test_what_is_known_is_decided_and_the_rest_left_to_the_run(
    condition: str, left: list[str]
) -> None:
    graph = program(model(f"assert {condition}\n  output y = a")).graph
    assert obligations(graph) == left


@pytest.mark.parametrize(
    ("statements", "code", "words"),
    [
        ("assert T < 1", "NN0209", "`T < 1` does not hold"),
        ("assert N == M and 1 == 2", "NN0209", "does not hold"),
        ("assert [N, T] == [N]", "NN0209", "does not hold"),
        ("if N == M { a = a + 1 }", "NN0206", "an `assert` would be checked at each run"),
        ("if [N] == [M] { a = a + 1 }", "NN0206", "whether [N] == [M] is not known"),
        ("if N in [1, M] { a = a + 1 }", "NN0206", "whether N in [1, M] is not known"),
        ("assert not N == M", "NN0206", "whether N == M is not known"),
        ("y = a + b", "NN0206", "`b: float[…] = …` checks it at each run"),
        ("y: f32[N] = a", "NN0204", "2 dimensions, not 1"),
        ("y: f32[3 * N, _] = a", "NN0205", "size N where 3 * N = 3*N is needed"),
        (
            "n = loop (l: f32[L] = a[0], i=0) while i < 3 { l = concat([l, l])\n i = i + 1 }\n"
            "  assert L == T",
            "NN0206",
            "no input's shape tells `L`",
        ),
        (
            "n = loop (l: f32[L] = a[0], i=0) while i < 3 { l = concat([l, l])\n i = i + 1 }\n"
            "  y: f32[N, T] = ones([L, L])",
            "NN0206",
            "no input's shape tells `L`",
        ),
    ],
)
def test_refusals(statements: str, code: str, words: str) -> None:
    diagnostic = failure(model(f"{statements}\n  output r = a"))
    assert diagnostic.code == code
    assert words in diagnostic.render()


def test_arguments_are_strict() -> None:
    text = "fn f(x: float[N], y: float[N]) = x + y\n" + model("output r = f(a[:, 0], b[:, 0])")
    diagnostic = failure(text)
    assert diagnostic.code == "NN0206"
    assert "say so before: `name: type = …`" in diagnostic.render()


TYPED = """\
fn doubled(x: float[N, T]) -> float[N, T] {
  half: float[N, 2 * h] = x
  return concat([half[:, :h], half[:, :h]], 1)
}

block Add()(x: float[N, T], y: float[M, S]) {
  same: float[x.shape...] = y
  return x + same
}

model M {
  input a: f32[N, T]
  input b: f32[M, S]
  output y = Add()(a, b)
  output z = doubled(a)
}
"""


def given(n: int, t: int, m: int, s: int) -> dict[str, Any]:
    return {"a": np.ones((n, t), np.float32), "b": np.ones((m, s), np.float32)}


def refusal(model: Model | Session, inputs: dict[str, Any], **how: Any) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        model.run(inputs, **how)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def loaded(tmp_path: Path, text: str) -> Model:
    path = tmp_path / "m.nn"
    path.write_text(text)
    return Model(path)


BROKEN = """\
error[NN0209]: `same` must be `float[x.shape...]`, this is f32[M, S]: S is 5 and T is 4
 --> {path}:7:29
  |
7 |   same: float[x.shape...] = y
  |                             ^ `T == S` does not hold for these inputs
  |"""


def test_a_declared_type_is_checked_before_the_run_and_holds_after_it(tmp_path: Path) -> None:
    m = loaded(tmp_path, TYPED)
    assert obligations(m.graph) == ["N == M", "T == S", "T % 2 == 0", "T == 2*(T // 2)"]
    assert str(m.graph.outputs["y"].type) == str(m.graph.outputs["z"].type) == "f32[N, T]"
    m.build(tmp_path / "m.onnx")
    session = Session(tmp_path / "m.onnx")
    for backend in ("numpy", "onnx"):
        results = m.run(given(2, 4, 2, 4), backend=backend)  # type: ignore[arg-type]
        np.testing.assert_array_equal(results["y"], np.full((2, 4), 2))
        np.testing.assert_array_equal(results["z"], np.ones((2, 4)))
        shown = refusal(m, given(2, 4, 2, 5), backend=backend).render()
        assert shown == BROKEN.format(path=m.graph.obligations[1].span.source.name)  # type: ignore[union-attr]
        assert shown == refusal(session, given(2, 4, 2, 5)).render()
        odd = refusal(m, given(2, 5, 2, 5), backend=backend)
        assert odd.message.endswith("T is 5 and T % 2 is 1")
        assert odd.render() == refusal(session, given(2, 5, 2, 5)).render()
    np.testing.assert_array_equal(session.run(given(3, 2, 3, 2))["y"], np.full((3, 2), 2))


def test_the_message_tells_what_the_run_measures(tmp_path: Path) -> None:
    text = 'assert T % 2 == 0, "{T} steps, {T // 2} pairs of {N} rows {1 + 1}"\n  output y = a'
    m = loaded(tmp_path, model(text))
    m.build(tmp_path / "m.onnx")
    printed = to_text(m.graph).text
    assert 'assert T % 2 == 0, "{T} steps, {T // 2} pairs of N rows 2"' in printed
    again = loaded(tmp_path, printed)
    for ran in (m, Session(tmp_path / "m.onnx"), again):
        message = refusal(ran, given(1, 5, 1, 1)).message
        assert message == "5 steps, 2 pairs of N rows 2: T is 5 and T % 2 is 1"


def test_a_division_by_zero_at_run_time_is_a_refusal(tmp_path: Path) -> None:
    m = loaded(tmp_path, model("assert T % (S - 1) == 0\n  output y = a"))
    assert m.run(given(1, 4, 1, 3))
    for backend in ("numpy", "onnx"):
        diagnostic = refusal(m, given(1, 4, 1, 1), backend=backend)
        assert diagnostic.code == "NN0209"
        assert "T % (S - 1) is a division by zero" in diagnostic.message


def test_every_kind_of_dim_comes_back_from_the_file(tmp_path: Path) -> None:
    condition = "min(N, T // 2) + 3 * max(M, S % 4) - 2 * N * T <= 7"
    head = "input a: f32[N, 2 * T + 1]\n  input b: f32[M, S]\n  "
    m = loaded(tmp_path, model(f"assert {condition}\n  output y = a", head))
    m.build(tmp_path / "m.onnx")
    session = Session(tmp_path / "m.onnx")
    assert session.run(given(2, 3, 1, 8))["y"].shape == (2, 3)
    ours, theirs = (refusal(s, given(1, 3, 9, 8)) for s in (m, session))
    assert ours.render() == theirs.render()
    assert "M is 9, N is 1, S is 8, T is 1" in ours.message


def test_the_text_form_holds_them() -> None:
    graph = program(TYPED).graph
    printed = to_text(graph).text
    assert '  assert T == S, "`same` must be `float[x.shape...]`, this is f32[M, S]"\n' in printed
    back = program(printed).graph
    assert obligations(back) == obligations(graph)
    assert to_text(back).text == printed


def test_passes_keep_them_and_a_declared_type_costs_no_shape_computation() -> None:
    graph = optimize(program(model("c: f32[N, T] = b\n  output y = a + c")).graph).graph
    assert obligations(graph) == ["N == M", "T == S"]
    assert operators(graph) == ["Dims", "Reshape", "Add"]


TRAINED = """\
from std import Linear
from std.optim import SGD

model M {
  input x: f32[N, 3]
  net = Linear(1)
  y = net(x)
  output y

  entry twice {
    input z: f32[K, 3]
    assert K % 2 == 0, "pairs"
    output w = net(z)
  }

  train {
    input target: f32[M, 1]
    wanted: f32[N, 1] = target
    minimize mse_loss(y, wanted) by SGD(lr=0.1)
  }
}
"""


def test_steps_and_entries_check_their_own(tmp_path: Path) -> None:
    m = loaded(tmp_path, TRAINED)
    assert obligations(m.graph) == []
    assert obligations(m.program.entries["twice"]) == ["K % 2 == 0"]
    assert obligations(m.program.train["train"].evaluation) == ["N == M"]
    x, short = np.ones((4, 3), np.float32), np.ones((3, 1), np.float32)
    for backend in ("numpy", "onnx"):
        assert refusal(m, {"z": x[:3]}, entry="twice", backend=backend).code == "NN0209"
        step = m.training_step(backend=backend)  # type: ignore[arg-type]
        step(x=x, target=np.ones((4, 1), np.float32))
        for call in (step, step.evaluate):
            with pytest.raises(CompileError, match=r"NN0209.*M is 3 and N is 4"):
                call(x=x, target=short)
        assert step.steps == 1


def test_an_entry_drops_what_concerns_inputs_that_it_lacks() -> None:
    text = model("assert N == M\n  output y = a\n  entry e { output z = b }")
    assert obligations(program(text).graph) == ["N == M"]
    assert obligations(program(text).entries["e"]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"dims": {"N": {"input": "a", "axis": 7, "factor": 1, "offset": 0}}},
        {"dims": {"N": {"input": "q", "axis": 0, "factor": 1, "offset": 0}}},
        {"dims": {"N": {"input": "a", "axis": 0, "factor": 0, "offset": 0}}},
        {"dims": {}},
        {"dims": []},
        {"obligations": [{"any": [], "message": "", "source": None}]},
        {"obligations": [{"any": [["=", 1, 2]], "message": "", "source": None}]},
        {"obligations": [{"any": [["==", ["%", 1, 0], 2]], "message": "", "source": None}]},
        {"obligations": [{"any": [["==", ["+"], 2]], "message": "", "source": None}]},
        {"obligations": [{"any": [["==", 1, 1]], "message": "", "source": {"line": 10**12}}]},
        {"obligations": [{"any": [["==", 1, 1]], "message": 3, "source": None}]},
        {"obligations": [{"any": [["==", 1, 1]], "message": [{}], "source": None}]},
        {"obligations": 3},
    ],
)
def test_broken_metadata_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    loaded(tmp_path, model("assert N == M\n  output y = a + b[0, 0]")).build(tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    (entry,) = [p for p in proto.metadata_props if p.key == OBLIGATIONS_KEY]
    entry.value = json.dumps(json.loads(entry.value) | change)
    with pytest.raises(CompileError, match="NN0306"):
        Session(proto)
    entry.value = "[" * 100_000
    with pytest.raises(CompileError, match="NN0306"):
        Session(proto)


@pytest.mark.parametrize(
    ("bound", "size", "shape"),
    [
        ("T <= 512", "min(512, T)", "[T]"),
        ("T < 9", "min(8, T)", "[T]"),
        ("T >= 4", "max(4, T)", "[T]"),
        ("T > 3", "max(T - 3, 1)", "[T - 3]"),
        ("T <= 512 or N == 1", "min(512, T)", "[min(512, T)]"),
    ],
)
def test_what_is_asserted_of_a_size_is_known_behind_it(bound: str, size: str, shape: str) -> None:
    sizes = {"min": "static_min", "max": "static_max"}[size[:3]] + size[3:]
    graph = program(model(f"assert {bound}\n  output y = zeros([{sizes}])")).graph
    assert str(graph.outputs["y"].type) == f"f32{shape}"
    assert len(graph.obligations) == 1
