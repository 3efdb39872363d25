"""Products in float16, parameters in float32, and a loss that is scaled in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nncomp
from nncomp.autodiff.expand import expand_gradients
from nncomp.cli import main
from nncomp.driver.compiling import compiled_step, initial_values
from nncomp.driver.learners import make_learner
from nncomp.driver.programs import load_program
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.source import SourceFile
from nncomp.training import precision
from nncomp.training.learner import Learner
from nncomp.training.variants import Variant
from nncomp.types import Array, DType

ROOT = Path(__file__).parents[2]
MIXED = Variant(precision="mixed")
MODEL = """
from std import BatchNorm, Linear
from std.optim import Adam, SGD

model M(small: float = 1.0) {
  input x: f32[N, 3]
  h = x |> Linear(16) as first |> BatchNorm() as norm |> tanh
  y = h |> Linear(1) as last
  output y
  train {
    input target: f32[N, 1]
    minimize small * mse_loss(y, target) by OPTIMIZER
  }
}
"""


def program(optimizer: str = "Adam(lr=1e-2)", small: float = 1.0) -> Program:
    text = MODEL.replace("OPTIMIZER", optimizer)
    return load_program(SourceFile("m.nn", text), settings={"small": small})


def learner(found: Program, variant: Variant, backend: str = "numpy") -> Learner:
    section = found.train["train"]
    step = variant.of(section.step)
    state = variant.state(step, initial_values(found, seed=3))
    return make_learner(compiled_step(replace(section, step=step)), state, backend=backend)


def batch(scale: float = 1.0) -> dict[str, Array]:
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    return {"x": x, "target": np.sin(x[:, :1]) * np.float32(scale)}


def dtypes(graph: Graph) -> dict[str, set[DType]]:
    """The floating types of the results of each operator."""
    found: dict[str, set[DType]] = {}
    for node in graph.nodes:
        kinds = {v.type.dtype for v in node.outputs if v.type.dtype.is_float}
        found.setdefault(node.op.name, set()).update(kinds)
    return found


def test_what_is_float16() -> None:
    """Products, forward and back, and what lies between them; not what needs its digits."""
    section = load_program(ROOT / "examples" / "classifier.nn").train["train"]
    step = MIXED.of(section.step)
    forward, whole = dtypes(step), dtypes(expand_gradients(step))
    products = ("Conv", "ConvInputGrad", "ConvWeightGrad", "MatMul")
    assert all(whole[name] == {DType.F16} for name in products)
    assert forward["Relu"] == {DType.F32}  # of normalisation
    exact = ("BatchNormTraining", "BatchNormGrad", "SoftmaxCrossEntropyLoss", "Sqrt", "Pow")
    assert all(whole[name] == {DType.F32} for name in exact)
    assert {p.value.type.dtype for p in step.parameters} == {DType.F32, DType.I64}
    assert {v.type for v in step.outputs.values()} == {
        v.type for v in section.step.outputs.values()
    }
    lenet = MIXED.of(load_program(ROOT / "models" / "lenet5.nn").train["train"].step)
    assert dtypes(lenet)["Tanh"] == {DType.F16}


@pytest.mark.parametrize("backend", ["onnx", "numpy"])
def test_losses_are_those_of_float32(backend: str) -> None:
    found = program()
    curves = []
    for variant in (Variant(), MIXED):
        taken = learner(found, variant, backend)
        curves.append([taken.step(batch())["loss"] for _ in range(30)])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-2)
    assert curves[1][-1] < 0.3 * curves[1][0]


def test_small_gradients_are_kept() -> None:
    """In float16 alone these would be zeros: 1e-6 of them lies below its smallest number."""
    found = program("SGD(lr=1e5)", small=1e-6)
    states = []
    for variant in (Variant(), MIXED):
        taken = learner(found, variant)
        before = taken.state()
        taken.step(batch())
        states.append({path: a - before[path] for path, a in taken.state().items()})
    for path in ("first.weight", "last.weight"):
        size = np.abs(states[0][path]).max()
        np.testing.assert_allclose(states[1][path], states[0][path], rtol=0, atol=1e-2 * size)
        assert size > 1e-3


def test_steps_that_overflow_are_left_out() -> None:
    """The loss is fine, its gradient times the scale is not: nothing changes but the scale, until
    it fits. (In NumPy: on a CPU, onnxruntime computes float16 in float32, which does not overflow.)
    """
    taken = learner(program(), MIXED)
    scale, skipped = precision.FIRST, 0
    while True:
        before = taken.state()
        assert np.isfinite(taken.step(batch(1e4))["loss"])
        after = taken.state()
        if after[precision.SCALE] == scale:
            break
        skipped += 1
        scale /= 2
        assert after[precision.SCALE] == scale
        assert after[precision.GOOD] == 0
        assert all(np.array_equal(before[p], after[p]) for p in before if p != precision.SCALE)
    assert skipped >= 3
    assert after[precision.GOOD] == 1
    learnt = [p for p in before if p.endswith((".weight", ".m", "running_mean"))]
    assert not any(np.array_equal(before[path], after[path]) for path in learnt)


def test_the_scale_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "GROW_AFTER", 3)
    taken = learner(program(), MIXED)
    found = []
    for _ in range(6):
        taken.step(batch())
        state = taken.state()
        found.append((state[precision.SCALE] / precision.FIRST, state[precision.GOOD]))
    assert found == [(1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (4, 0)]


def rows(given: dict[str, Array], start: int, stop: int) -> dict[str, Array]:
    return {name: array[start:stop] for name, array in given.items()}


@pytest.mark.parametrize("backend", ["onnx", "numpy"])
def test_accumulated_gradients_are_those_of_a_large_batch(backend: str) -> None:
    text = MODEL.replace("OPTIMIZER", "Adam(lr=1e-2)").replace("|> BatchNorm() as norm ", "")
    found = load_program(SourceFile("m.nn", text))
    large = learner(found, MIXED, backend)
    small = learner(found, replace(MIXED, accumulate=2), backend)
    for _ in range(5):
        large.step(batch())
        for start in (0, 16):
            small.step(rows(batch(), start, start + 16))
    expected, state = large.state(), small.state()
    for path, array in expected.items():
        np.testing.assert_allclose(state[path], array, rtol=0.05, atol=2e-3, err_msg=path)
    assert state[precision.GOOD] == 5


def test_sums_that_overflow_are_left_out() -> None:
    """One batch of two is too large: the optimiser does nothing once, and begins anew."""
    taken = learner(program(), replace(MIXED, accumulate=2))
    first = taken.state()
    taken.step(batch(1e4))
    between = taken.state()
    sums = [path for path in first if path.startswith("accumulated.")]
    assert sums
    assert not all(np.isfinite(between[path]).all() for path in sums)
    assert between[precision.SCALE] == precision.FIRST
    taken.step(batch())
    after = taken.state()
    assert after[precision.SCALE] == precision.FIRST / 2
    assert all(not after[path].any() for path in sums)
    same = [p for p in first if p != precision.SCALE]
    assert all(np.array_equal(first[path], after[path]) for path in same)
    for _ in range(2):
        taken.step(batch())
    later = taken.state()
    assert later[precision.GOOD] == 1
    assert not np.array_equal(later["first.weight"], after["first.weight"])


def test_what_does_not_go_together() -> None:
    text = """model M {
      input x: f32[N]
      param w: f32[] = 1.0
      train { minimize mean(square(x * w)) by SGD(lr=0.1) }
    }"""
    source = SourceFile("m.nn", f"from std.optim import SGD\n{text}\n")
    with pytest.raises(CompileError, match=r"NN0404.*no product in float32"):
        MIXED.of(load_program(source).train["train"].step)


def test_products_in_a_body() -> None:
    """They are products, though float16 does not reach them."""
    text = """from std import Linear
from std.optim import SGD
model M {
  input x: f32[T, N, 3]
  cell = Linear(3)
  ys = scan (h: f32[N, 3] = zeros()) over xt = x {
    h = tanh(cell(xt + h))
    yield h
  }
  train { minimize mean(square(ys)) by SGD(lr=0.1) }
}
"""
    said = "NN0404.*products of M.train stand in the body of `Scan`, which stays float32"
    with pytest.raises(CompileError, match=said):
        MIXED.of(load_program(SourceFile("m.nn", text)).train["train"].step)


def test_commands_and_api(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run goes on where it was stopped, its scale too; `build` writes the same step."""
    (tmp_path / "m.nn").write_text(program_text())
    np.savez(tmp_path / "data.npz", **samples())
    command = ["train", str(tmp_path / "m.nn"), "--data", str(tmp_path / "data.npz")]
    command += ["--precision", "mixed", "--batch-size", "8"]
    out = tmp_path / "run"
    assert main([*command, "--epochs", "3", "-o", str(tmp_path / "whole")]) == 0
    assert main([*command, "--epochs", "1", "-o", str(out)]) == 0
    assert main([*command, "--epochs", "3", "-o", str(out), "--resume"]) == 0
    whole, parts = ((f / "log.jsonl").read_bytes() for f in (tmp_path / "whole", out))
    assert whole == parts
    model = nncomp.load(tmp_path / "m.nn", weights=out / "best.safetensors")
    built = model.build(tmp_path / "m.onnx", train=True, precision="mixed")
    assert built.steps["train"].nodes > 0
    taken = model.training_step(precision="mixed")
    first = taken(**samples())["loss"]
    assert taken(**samples())["loss"] < first
    assert capsys.readouterr().err.count("epoch") >= 6


def program_text() -> str:
    return MODEL.replace("OPTIMIZER", "Adam(lr=1e-2)")


def samples() -> Mapping[str, Array]:
    return batch()
