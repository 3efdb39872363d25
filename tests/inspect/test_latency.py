"""`inspect --profile`: measured time by block, by operator, by node."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from nncomp.cli import main
from nncomp.driver.programs import load_program
from nncomp.inspect.latency import Latency, Part

CLASSIFIER = Path(__file__).resolve().parents[2] / "examples" / "classifier.nn"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["inspect", str(CLASSIFIER), "--profile", *arguments]) == 0
    return capsys.readouterr().out


def test_sums_shares_and_speeds() -> None:
    """Of times that are given, not measured."""
    graph = load_program(CLASSIFIER, kinds=("entry",)).graph
    convolutions = [node for node in graph.nodes if node.op.name == "Conv"]
    parts = {node: (Part("Conv", 2e-3, 1), Part("Reorder", 1e-3, 0)) for node in convolutions}
    table = Latency(graph, parts, 8e-3, {"N": 2})
    rows = {row["operator"]: row for row in table.by_operator().to_json()}
    assert rows["Conv"]["seconds"] == pytest.approx(6e-3)
    assert rows["Conv"]["share"] == pytest.approx(0.75)
    first, second = 2 * 16 * 28 * 28, 2 * 32 * 14 * 14  # results, to each of which a bias is added
    flops = first * (2 * 9 + 1) + second * (2 * 9 * 16 + 1)
    assert rows["Conv"]["flops_per_second"] == pytest.approx(flops / 6e-3)
    assert rows["Conv"]["runs_as"] == "Conv ×2, Reorder ×2"
    assert rows["Reshape"]["flops_per_second"] is None
    assert rows["total"]["seconds"] == pytest.approx(6e-3)
    (note,) = table.by_operator().notes
    assert note == "onnxruntime on the CPU: 8 ms at N = 2, 75.0 % of it told by node"
    blocks = {row["block"]: row for row in table.by_block().to_json()}
    assert blocks["conv"]["seconds"] == pytest.approx(3e-3)
    own = sum(blocks[name]["nodes"] for name in blocks if name != "total")
    assert own == blocks["total"]["nodes"]


def test_a_run_in_all_forms(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys)
    assert "of it told by node" in text
    for name in ("conv", "conv_2", "head", "total"):
        assert f"│ {name} " in text
    found = json.loads(run(capsys, "--by", "operator", "--format", "json"))["latency"]
    assert found["known"] >= 0.95 * found["seconds"] > 0
    assert found["sizes"] == {"N": 1}
    for name in ("blocks", "operators"):
        assert found[name][-1]["seconds"] == pytest.approx(found["known"])
    assert sum(row["seconds"] for row in found["nodes"]) == pytest.approx(found["known"])
    table = list(csv.DictReader(io.StringIO(run(capsys, "--by", "operator", "--format", "csv"))))
    assert {"FusedConv", "Gemm", "total"} <= {row["operator"] for row in table}


def test_a_step_and_given_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "--train", "--batch-size", "4", "--by", "operator")
    assert "ConvWeightGrad" in text
    assert "at N = 4" in text
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 28, 28), np.float32))
    assert "at N = 3" in run(capsys, "--input", f"image={tmp_path / 'x.npy'}")
    with pytest.raises(SystemExit):
        main(["inspect", str(CLASSIFIER), "--input", f"image={tmp_path / 'x.npy'}"])
    assert "--input is for --profile" in capsys.readouterr().err
