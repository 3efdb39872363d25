"""Whole training steps for the target onnxruntime-cpu, beside those of standard operators."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.backends.ort.blocked import processor
from nncomp.backends.ort.blocked.processor import TARGET_KEY, block_size
from nncomp.backends.ort.session import Session, StepSession
from nncomp.cli import main
from nncomp.driver.compiling import compiled_step, onnx_model, section_of, sized
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph
from nncomp.types import Array

MODELS = Path(__file__).resolve().parents[2] / "models"

MOBILE = """
from std import BatchNorm, Conv, Linear, SGD

block Inverted(out: int, stride: int, widen: int)(x: float[N, C, H, W]) {
  wide = C * widen
  y = x |> Conv(wide, 1, use_bias=false) as a |> BatchNorm() as a_norm |> relu
    |> Conv(wide, 3, stride, 1, groups=wide, use_bias=false) as b |> BatchNorm() as b_norm |> relu
    |> Conv(out, 1, use_bias=false) as c |> BatchNorm() as c_norm
  if C == out and stride == 1 { return x + y }
  return y
}

model Mobile(classes: int = 10) {
  input image: f32[N, 3, 16, 16]
  output logits = image |> Conv(16, 3, 2, 1) as stem |> BatchNorm() as stem_norm |> relu
    |> Inverted(24, 1, 2) as first |> Inverted(32, 2, 2) as second |> global_avg_pool |> flatten
    |> Linear(classes) as head
  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by SGD(lr=0.1, momentum=0.9)
  }
}
"""


def load(name: str, folder: Path) -> nncomp.Model:
    if name == "mobile":
        path = folder / "mobile.nn"
        path.write_text(MOBILE)
        return nncomp.load(path)
    if name == "resnet20":  # where a ReLU meets 0, a rounding error becomes a step: tanh instead
        path = folder / "resnet.nn"
        path.write_text((MODELS / "resnet.nn").read_text().replace("relu", "tanh"))
        return nncomp.load(path, "CifarResNet", size=16)
    # Adam's first step is the sign of a gradient, and one near 0 has none that rounding leaves
    path = folder / "lenet.nn"
    path.write_text((MODELS / "lenet5.nn").read_text().replace("Adam", "SGD").replace("1e-3", "1"))
    return nncomp.load(path)


def batch_for(model: nncomp.Model, samples: int) -> dict[str, Array]:
    rng = np.random.default_rng(11)
    shape = model.graph.inputs[0].shape[1:]
    image = rng.standard_normal((samples, *shape)).astype(np.float32)
    return {"image": image, "label": rng.integers(0, 10, samples)}


def near(actual: Array, expected: Array, what: str, tolerance: float = 2e-5) -> None:
    # each side rounds by up to 1e-5 of the largest value: sums over pixels cancel. Gradients of
    # what batch norm takes away again are rounding errors around 0
    size = max(float(np.abs(expected).max()), 1e-2)
    assert np.abs(actual - expected).max() <= tolerance * size, what


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("name", ["lenet", "resnet20", "mobile"])
def test_a_step_is_that_of_standard_operators(name: str, fixed: bool, tmp_path: Path) -> None:
    model = load(name, tmp_path)
    samples = 4 if name == "mobile" else 16
    batch = batch_for(model, samples)
    plain = model.training_step()
    blocked = model.training_step(target="onnxruntime-cpu", batch_size=samples if fixed else None)
    near(np.array(blocked(**batch)["loss"]), np.array(plain(**batch)["loss"]), "loss")
    expected, state = plain.parameters, blocked.parameters
    assert list(state) == list(expected)
    for path, value in expected.items():
        near(state[path], value, path)
    near(np.array(blocked.evaluate(**batch)["loss"]), np.array(plain.evaluate(**batch)["loss"]), "")


def test_batches_of_other_sizes_go_on_from_the_same_state(tmp_path: Path) -> None:
    model = load("mobile", tmp_path)
    batch = batch_for(model, 16)
    part = {name: array[:5] for name, array in batch.items()}
    steps = [
        model.training_step(),
        model.training_step(target="onnxruntime-cpu", batch_size=16),
        model.training_step(batch_size=16),
    ]
    losses = []
    for step in steps:
        given: list[dict[str, object]] = [{"lr": 0.01, **batch}, part, {"lr": 0.02, **part}, batch]
        losses.append([step(**arguments)["loss"] for arguments in given])
        assert step.steps == 4
    for others in losses[1:]:
        np.testing.assert_allclose(others, losses[0], rtol=1e-4)


def test_a_memory_budget_goes_with_the_target(tmp_path: Path) -> None:
    model = load("mobile", tmp_path)
    batch = batch_for(model, 16)
    plain = model.training_step()
    blocked = model.training_step(
        target="onnxruntime-cpu", batch_size=16, memory_budget=1_200_000, sizes={"N": 16}
    )
    assert blocked(**batch)["loss"] == pytest.approx(plain(**batch)["loss"], rel=1e-5)
    for path, value in plain.parameters.items():
        near(blocked.parameters[path], value, path)


# --- the model says what it needs ------------------------------------------------------------


def step_model(tmp_path: Path) -> tuple[onnx.ModelProto, dict[str, Array], Graph]:
    model = load("mobile", tmp_path)
    step = compiled_step(section_of(model.program)[1]).step
    return onnx_model(step, target="onnxruntime-cpu"), model.state, step


def test_the_model_says_what_processor_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proto, state, _ = step_model(tmp_path)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(metadata[TARGET_KEY]) == {"name": "onnxruntime-cpu", "block": block_size()}
    assert {o.domain for o in proto.opset_import} == {"", "com.microsoft.nchwc"}
    StepSession(proto, state)
    monkeypatch.setattr(processor, "block_size", lambda: 4)
    with pytest.raises(CompileError, match=r"NN0605.*blocks of 4") as caught:
        StepSession(proto, state)
    assert "build it again" in str(caught.value.diagnostics[0].help)
    with pytest.raises(CompileError, match="NN0605"):
        Session(proto)


def test_it_is_for_the_cpu(tmp_path: Path) -> None:
    proto, state, step = step_model(tmp_path)
    with pytest.raises(CompileError, match=r"NN0605.*not on cuda"):
        StepSession(proto, state, "cuda")
    with pytest.raises(CompileError, match=r"NN0602.*cuda"):
        onnx_model(step, device="cuda", target="onnxruntime-cpu")
    with pytest.raises(CompileError, match=r"NN0602.*no target `tpu`"):
        onnx_model(step, target="tpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["[]", "{", '{"block": "many"}'])
def test_broken_metadata_is_said_to_be_broken(text: str, tmp_path: Path) -> None:
    proto, state, _ = step_model(tmp_path)
    for entry in proto.metadata_props:
        if entry.key == TARGET_KEY:
            entry.value = text
    with pytest.raises(CompileError, match=r"NN0604.*broken"):
        StepSession(proto, state)


def test_a_model_without_convolutions_needs_no_processor() -> None:
    model = nncomp.load(MODELS / "mlp.nn")
    step = compiled_step(section_of(model.program)[1]).step
    proto = onnx_model(step, target="onnxruntime-cpu")
    assert TARGET_KEY not in {entry.key for entry in proto.metadata_props}


def test_the_batch_must_be_open_or_of_that_size(tmp_path: Path) -> None:
    fixed = tmp_path / "fixed.nn"
    fixed.write_text(MOBILE.replace("N, 3, 16, 16", "8, 3, 16, 16").replace("i64[N]", "i64[8]"))
    step = compiled_step(section_of(nncomp.load(fixed).program)[1]).step
    assert sized(step, 8) is step
    with pytest.raises(CompileError, match=r"NN0501.*16 samples"):
        sized(step, 16)


# --- commands --------------------------------------------------------------------------------


def test_build_for_the_target_and_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mobile.nn").write_text(MOBILE)
    command = ["build", "mobile.nn", "--train", "--target", "onnxruntime-cpu", "--batch-size", "16"]
    assert main(command) == 0
    proto = onnx.load("mobile.train.onnx")
    assert [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim] == [16, 3, 16, 16]
    assert any(node.domain == "com.microsoft.nchwc" for node in proto.graph.node)
    inference = onnx.load("mobile.onnx")
    assert not any(node.domain for node in inference.graph.node)
    assert inference.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_train_for_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lenet = str(MODELS / "lenet5.nn")
    losses = []
    for target in ("onnx", "onnxruntime-cpu"):
        command = ["train", lenet, "--data", "sklearn:digits", "--epochs", "1", "-o", target]
        assert main([*command, "--target", target]) == 0
        lines = Path(target, "log.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines[:-1]])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
