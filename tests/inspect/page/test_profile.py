"""Measured times, told by the nodes of the graph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nncomp.backends.ort.profiler import profile
from nncomp.cli import main
from nncomp.driver.compiling import state_of
from nncomp.driver.profiling import Profile, profile_of
from nncomp.driver.programs import load_program
from nncomp.driver.showing import Shown, inference_of, training_of
from nncomp.driver.viewing import page_of
from nncomp.errors import CompileError
from tests.inspect.page.browser import in_browser, opened, settle
from tests.inspect.page.test_page import data_of

ROOT = Path(__file__).resolve().parents[3]
MODELS = ROOT / "models"
CLASSIFIER = ROOT / "examples" / "classifier.nn"
SMALL = [
    ("resnet.nn", {"depth": "18", "size": "64", "classes": "10"}, {}),
    ("lenet5.nn", {}, {}),
    ("gpt.nn", {"layers": "2", "width": "64", "heads": "4", "vocabulary": "100"}, {"T": 16}),
    ("lstm.nn", {}, {"T": 12}),
]


def measured(file: Path, settings: dict[str, str], **kwargs: Any) -> tuple[Shown, Profile]:
    program = load_program(file, None, settings, ("entry",))
    shown = inference_of(program, **kwargs)
    assert shown.result is not None
    return shown, profile_of(shown.result.graph, state_of(program, None), sizes=shown.sizes)


@pytest.mark.parametrize(("file", "settings", "sizes"), SMALL, ids=[f for f, _, _ in SMALL])
def test_time_is_told_by_node(file: str, settings: dict[str, str], sizes: dict[str, int]) -> None:
    """At least 95 % of it, each part by a node of the optimised graph."""
    shown, found = measured(MODELS / file, settings, batch_size=2, sizes=sizes)
    assert shown.result is not None
    assert found.sizes == shown.sizes
    assert found.known >= 0.95 * found.seconds > 0
    assert set(found.parts) <= set(shown.result.graph.nodes)
    assert found.known == pytest.approx(
        sum(part.seconds for parts in found.parts.values() for part in parts)
    )
    for node, parts in found.parts.items():
        work = {part.operator for part in parts if part.nodes}
        heavy = {"FusedConv": "Conv", "Conv": "Conv", "LSTM": "LSTM", "MatMul": "MatMul"}
        if node.op.name in heavy:
            assert any(operator.endswith(heavy[node.op.name]) for operator in work), node
    convolutions = [n for n in shown.result.graph.nodes if n.op.name in ("Conv", "FusedConv")]
    assert set(convolutions) <= set(found.parts)


def test_what_is_fused_and_reordered_stands_at_its_node() -> None:
    _, found = measured(MODELS / "lenet5.nn", {})
    operators = [part for parts in found.parts.values() for part in parts]
    assert all(part.nodes == 0 for part in operators if part.operator.startswith("Reorder"))
    fused = [
        (node.op.name, part.nodes)
        for node, parts in found.parts.items()
        for part in parts
        if part.operator == "FusedGemm"
    ]
    assert fused == [("Gemm", 2), ("Gemm", 2)], "each with its activation"


def test_bodies_count_to_their_loop() -> None:
    """A scan's time holds that of its body, once."""
    x = onnx.helper.make_tensor_value_info("x", 1, [64, 8])
    names = ["s", "e"]
    types = [onnx.helper.make_tensor_value_info(n, 1, [8]) for n in [*names, "t", "y"]]
    body = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Add", names, ["t"], name="inner"),
            onnx.helper.make_node("Tanh", ["t"], ["y"], name="tanh"),
        ],
        "body",
        types[:2],
        [types[2], types[3]],
    )
    start = onnx.helper.make_tensor_value_info("start", 1, [8])
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node(
                "Scan", ["start", "x"], ["last", "all"], name="scan", body=body, num_scan_inputs=1
            )
        ],
        "g",
        [start, x],
        [onnx.helper.make_tensor_value_info("all", 1, [64, 8])],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    kernels = profile(model, [np.zeros(8, np.float32), np.ones((64, 8), np.float32)])
    assert [(kernel.operator, kernel.nodes) for kernel in kernels] == [("Scan", ("scan",))]


def test_a_training_step_is_measured_too() -> None:
    program = load_program(CLASSIFIER, kinds=("train",))
    shown = training_of(program, batch_size=8)
    assert shown.result is not None
    found = profile_of(shown.result.graph, state_of(program, None), sizes=shown.sizes)
    assert found.known >= 0.95 * found.seconds
    assert {"Conv", "BatchNormGrad", "ConvWeightGrad"} <= {node.op.name for node in found.parts}


def test_the_page_has_the_times_of_the_last_graph() -> None:
    shown, found = measured(CLASSIFIER, {})
    text = page_of(shown, None, "classifier.nn", found)
    model = data_of(text)["models"][0]
    titles = {model["strings"][model["nodes"]["op"][int(n)]] for n in model["latency"]}
    assert {"FusedConv", "Gemm", "MaxPool"} <= titles
    assert sum(model["latency"].values()) == pytest.approx(found.known)
    for number, kernels in model["kernels"].items():
        assert sum(k[1] for k in kernels) == pytest.approx(model["latency"][number])
    assert "in onnxruntime at N = 1" in text


def test_inputs_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 28, 28), np.float32))
    page = tmp_path / "c.html"
    file = str(CLASSIFIER)
    given = ["--input", f"image={tmp_path / 'x.npy'}"]
    assert main(["view", file, "--profile", *given, "-o", str(page)]) == 0
    assert re.search(r"onnxruntime: .*, \d+\.\d% of it told by node", capsys.readouterr().out)
    assert "in onnxruntime at N = 3" in page.read_text("utf-8")
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 28), np.float32))
    assert main(["view", file, "--profile", *given, "-o", str(page)]) == 1
    assert "NN0503" in capsys.readouterr().err
    program = load_program(CLASSIFIER, kinds=("entry",))
    with pytest.raises(CompileError, match="NN0503"):
        profile_of(program.graph, state_of(program, None), given={"imag": np.zeros(1)})
    with pytest.raises(CompileError, match="NN0103"):
        inference_of(program, sizes={"M": 3})


@pytest.mark.browser
@in_browser
def test_latency_is_a_colour_and_a_row(tmp_path: Path) -> None:
    path = tmp_path / "c.html"
    assert main(["view", str(CLASSIFIER), "--profile", "-o", str(path)]) == 0
    with opened(path) as page:
        page.select_option("#overlay", "latency")
        page.click("#open-all")
        settle(page)
        assert page.locator(".box.heated, .heated").count() > 0
        page.locator('.graph [data-name="Conv + BN + Relu"]').first.click()
        settle(page)
        details = page.inner_text("#details")
        assert "latency" in details
        assert "runs as" in details
