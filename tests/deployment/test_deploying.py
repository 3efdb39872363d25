"""Models built in less precision: files, tables, what is measured, and what is refused."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.backends.ort.session import Session
from nncomp.cli import main
from nncomp.deployment.accuracy import Comparison
from nncomp.deployment.metrics import of_outputs
from nncomp.driver.programs import load_program
from nncomp.errors import CompileError

CLASSIFIER = """nn 1
from std import Conv, Linear
from std.optim import Adam

model Classifier {
  input image: f32[N, 1, 8, 8]
  logits = image |> Conv(6, 3, pad=1) |> relu |> max_pool(2) |> flatten |> Linear(10)
  output logits
  train {
    input label: i64[N]
    metric accuracy = mean(argmax(logits, axis=1) == label)
    minimize cross_entropy(logits, label) by Adam(lr=1e-3)
  }
}
"""
PRODUCTS = """nn 1
from std import LayerNorm, Linear

model Products {
  input x: f32[N, T, 16]
  y = x |> Linear(32) |> gelu |> Linear(16) |> LayerNorm()
  output p = softmax(y)
}
"""
TRAINED_PRODUCTS = """nn 1
from std import Linear
from std.optim import Adam

model Products {
  input x: f32[N, 16]
  y = x |> Linear(32) |> gelu |> Linear(16)
  output y = tanh(y)
  train {
    minimize mean(y * y) by Adam(lr=1e-3)
  }
}
"""


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("classifier.nn").write_text(CLASSIFIER)
    Path("products.nn").write_text(PRODUCTS)


def error_of(**options: Any) -> str:
    with pytest.raises(CompileError) as refused:
        nncomp.load(options.pop("file", "classifier.nn")).build("out.onnx", **options)
    assert not Path("out.onnx").exists()
    (diagnostic,) = refused.value.diagnostics
    return f"{diagnostic.code}: {diagnostic.message}; {diagnostic.help}"


def test_float16(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "products.nn", "-o", "whole.onnx"]) == 0
    assert main(["build", "products.nn", "--dtype", "float16", "-o", "half.onnx"]) == 0
    out = capsys.readouterr().out
    assert "Softmax" in out
    assert "exponentials overflow beyond 11" in out
    assert "measured on random numbers" in out
    whole, half = Session("whole.onnx"), Session("half.onnx")
    x = np.random.default_rng(0).normal(size=(2, 3, 16)).astype(np.float32)
    p = half.run({"x": x})["p"]
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, whole.run({"x": x})["p"], atol=2e-3)
    assert Path("half.onnx").stat().st_size < Path("whole.onnx").stat().st_size


def test_inputs_and_outputs_in_float16() -> None:
    result = nncomp.load("products.nn").build("out.onnx", dtype="float16", io="float16")
    model = onnx.load("out.onnx")
    types = {v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)}
    assert types == {onnx.TensorProto.FLOAT16}
    assert result.deployed is not None
    assert result.deployed.accuracy.outputs[0].cosine > 0.9999


def test_an_onnx_file_in_float16() -> None:
    nncomp.load("products.nn").build("whole.onnx")
    assert main(["build", "whole.onnx", "--dtype", "float16", "-o", "half.onnx"]) == 0
    weights = onnx.load("half.onnx").graph.initializer
    assert sum(w.data_type == onnx.TensorProto.FLOAT16 for w in weights) >= 4


def test_dynamic_integers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "products.nn", "--quantize", "int8", "-o", "int8.onnx"]) == 0
    graph = onnx.load("int8.onnx").graph
    assert [node.op_type for node in graph.node].count("MatMulInteger") == 2
    assert not graph.value_info  # with which onnxruntime would take a slower layer norm
    captured = capsys.readouterr()
    assert "MatMul" in captured.out
    assert "pre-processing" not in captured.err


def test_calibrated_integers_and_the_models_own_metrics() -> None:
    model = nncomp.load("classifier.nn", seed=1)
    model.train("sklearn:digits", "run", epochs=4, batch_size=32, lr=5e-3)
    result = model.build("int8.onnx", quantize="int8", calibration="sklearn:digits")
    assert result.deployed is not None
    assert result.deployed.int8 is not None
    assert dict(result.deployed.int8.products) == {"Conv": (1, 0), "Gemm": (1, 0)}
    accuracy = result.deployed.accuracy
    assert accuracy.measured == "256 samples of sklearn:digits"
    assert accuracy.outputs[0].cosine > 0.99
    found = {change.name: (change.before, change.after) for change in accuracy.metrics}
    before, after = found["accuracy"]
    assert before > 0.8
    assert abs(before - after) < 0.05
    assert accuracy.to_json()["metrics"][0].keys() == {"metric", "before", "after"}
    operators = {node.op_type for node in onnx.load("int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators


def test_metrics_of_an_onnx_model(capsys: pytest.CaptureFixture[str]) -> None:
    nncomp.load("classifier.nn").build("plain.onnx")
    command = ["build", "plain.onnx", "--dtype", "float16", "-o", "half.onnx"]
    objective = ["--loss", "cross_entropy", "--metric", "accuracy"]
    assert main([*command, "--calibration", "sklearn:digits", *objective]) == 0
    out = capsys.readouterr().out
    assert "accuracy" in out
    assert "loss" in out


def test_samples_without_labels() -> None:
    x = np.random.default_rng(0).normal(size=(40, 1, 8, 8)).astype(np.float32)
    result = nncomp.load("classifier.nn").build(
        "int8.onnx", quantize="int8", calibration={"image": x}
    )
    assert result.deployed is not None
    assert result.deployed.accuracy.metrics == ()


def test_what_is_near_the_end_of_float16_stays() -> None:
    Path("large.nn").write_text(
        "nn 1\nfrom std import Linear\n\nmodel L {\n  input x: f32[N, 8]\n"
        "  output y = x |> Linear(4) as first |> softmax |> Linear(3) as last\n}\n"
    )
    x = np.full((40, 8), 3e5, np.float32)
    result = nncomp.load("large.nn").build("half.onnx", dtype="float16", calibration={"x": x})
    assert result.deployed is not None
    assert result.deployed.float16 is not None
    told = {kept.operator: kept.reason for kept in result.deployed.float16.kept}
    assert told["Gemm"].endswith("e+05, and float16 ends at 65504")
    assert result.deployed.float16.half == 1
    assert result.deployed.accuracy.outputs[0].largest < 1e-2


@pytest.mark.parametrize("asked", ["--dtype float16", "--quantize int8"])
def test_training_steps_stay_float32_and_it_is_said(
    asked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", "products.nn" if "int8" in asked else "classifier.nn", *asked.split()]
    if "int8" in asked:
        Path("products.nn").write_text(TRAINED_PRODUCTS)
    assert main([*command, "--train", "-o", "out.onnx"]) == 0
    note = f"note: the training step computes in float32: `{asked}` is for the inference model"
    assert note in capsys.readouterr().out
    step = onnx.load("out.train.onnx")
    assert {w.data_type for w in step.graph.initializer if len(w.dims) > 1} <= {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.INT64,
    }
    assert main([*command, "--train", "--precision", "mixed", "-o", "out.onnx"]) == 0
    assert "the training step computes" not in capsys.readouterr().out


def test_training_steps_alone_cannot_be_less_precise() -> None:
    Path("step.nn").write_text(TRAINED_PRODUCTS.replace("  output y = tanh(y)\n", ""))
    found = error_of(file="step.nn", dtype="float16", train=True)
    assert found.startswith("NN0606: Products has no outputs")
    assert "`--precision mixed`" in found


def test_contradictions() -> None:
    assert error_of(dtype="float16", quantize="int8").startswith("NN0606: a model is either")
    assert error_of(io="float16").startswith("NN0606: inputs and outputs in float16")
    assert error_of(calibration="sklearn:digits").startswith("NN0606: calibration data")


def test_convolutions_need_samples() -> None:
    Path("conv.nn").write_text(
        "nn 1\nfrom std import Conv\n\nmodel C {\n  input x: f32[N, 3, 8, 8]\n"
        "  output y = x |> Conv(4, 3)\n}\n"
    )
    found = error_of(file="conv.nn", quantize="int8")
    assert found.startswith("NN0606: none of the model's products can be quantised: Conv ×1")
    assert "--calibration DATA" in found


def test_nothing_to_quantise() -> None:
    Path("plain.nn").write_text(
        "nn 1\n\nmodel C {\n  input x: f32[N, 3]\n  output y = softmax(x)\n}\n"
    )
    assert "has no product with weights" in error_of(file="plain.nn", quantize="int8")
    assert "no product in float32" in error_of(file="plain.nn", dtype="float16")


@pytest.mark.parametrize(
    ("lines", "holder"),
    [
        (
            """ys = scan (h: f32[N, 3] = zeros()) over xt = x {
    h = relu(cell(xt + h))
    yield h
  }
  output y = ys""",
            "Scan",
        ),
        ("output y = cond sum(x) > 0 { yield cell(x) } else { yield x }", "If"),
    ],
)
def test_products_in_a_body(lines: str, holder: str) -> None:
    """They are products, though neither float16 nor integers reach them."""
    Path("body.nn").write_text(
        "nn 1\nfrom std import Linear\n\nmodel C {\n  input x: f32[T, N, 3]\n"
        f"  cell = Linear(3)\n  {lines}\n}}\n"
    )
    said = f"stand in the body of `{holder}`, which stays float32"
    assert f"NN0606: the products of C {said}" in error_of(file="body.nn", dtype="float16")
    assert f"NN0606: the model's products {said}" in error_of(file="body.nn", quantize="int8")


def test_data_that_does_not_fit() -> None:
    found = error_of(quantize="int8", calibration={"image": np.zeros((9, 5), np.float32)})
    assert found.startswith("NN0501")


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "onnxruntime.quantization":
            raise ImportError("no", name="packaging")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    found = error_of(quantize="int8")
    assert found.startswith("NN0606: onnxruntime's quantisation cannot be imported")
    assert "pip install packaging" in found


def test_the_old_file_stays_where_nothing_new_is_made() -> None:
    Path("out.onnx").write_bytes(b"old")
    assert main(["build", "classifier.nn", "--quantize", "int8", "--dtype", "float16"]) == 1
    assert main(["build", "classifier.nn", "--io", "float16", "-o", "out.onnx"]) == 1
    assert Path("out.onnx").read_bytes() == b"old"


def test_comparison() -> None:
    comparison = Comparison()
    comparison.add(
        {"y": np.array([1.0, 2.5]), "k": np.array([1, 2])},
        {"y": np.array([1.0, 2.0]), "k": np.array([1, 3])},
    )
    comparison.add(
        {"y": np.array([np.inf, 0.0]), "k": np.array([1, 2])},
        {"y": np.array([np.inf, -1.0]), "k": np.array([1, 2])},
    )
    y, k = comparison.changes()
    assert (y.largest, y.mean) == (0.5, 1.5 / 4)
    assert y.cosine == pytest.approx(6 / np.sqrt(7.25 * 6))
    assert (k.largest, k.cosine) == (0.25, 0.75)


def test_metrics_that_are_not_of_the_outputs() -> None:
    Path("two.nn").write_text(
        CLASSIFIER.replace("    minimize", "    metric brightness = mean(image)\n    minimize")
    )
    program = load_program("two.nn")
    section = program.train["train"]
    graph, left = of_outputs(section.evaluation, section.predictions, ["image"])
    assert left == ["brightness"]
    assert sorted(graph.outputs) == ["accuracy", "loss"]
    assert {value.name for value in graph.inputs} == {"label", "logits"}
