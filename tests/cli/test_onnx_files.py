"""Commands take .onnx wherever they take .nn."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from nncomp.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lenet(tmp_path: Path) -> Path:
    path = tmp_path / "lenet5.onnx"
    assert main(["build", str(ROOT / "models" / "lenet5.nn"), "-o", str(path), "-O0"]) == 0
    return path


def test_check_inspect_explain_view(lenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(lenet)]) == 0
    assert "is fine (61,706 parameters)" in capsys.readouterr().out
    assert main(["inspect", str(lenet)]) == 0
    assert "61,706 trainable parameters" in capsys.readouterr().out
    assert main(["explain", str(lenet), "conv1"]) == 0
    assert f"from {lenet}:2:1: " in capsys.readouterr().out
    assert main(["view", str(lenet), "-o", str(lenet.with_suffix(".svg"))]) == 0
    assert lenet.with_suffix(".svg").read_text().startswith("<svg")


def test_build_again_optimises(lenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = lenet.with_name("again.onnx")
    assert main(["build", str(lenet), "-o", str(again)]) == 0
    before, after = onnx.load(lenet), onnx.load(again)
    assert len(after.graph.node) < len(before.graph.node)
    assert after.graph.node[0].doc_string.startswith(f"source: {lenet.name}:2:1")


def test_run_on_both_backends(lenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(lenet.with_name("x.npy"), np.ones((2, 1, 28, 28), np.float32))
    results = []
    for backend in ("onnx", "numpy"):
        out = lenet.with_name(f"{backend}.npz")
        command = ["run", str(lenet), "--input", f"image={lenet.with_name('x.npy')}"]
        assert main([*command, "--backend", backend, "-o", str(out)]) == 0
        results.append(np.load(out)["logits"])
    assert capsys.readouterr().err == ""  # the weights are its own, not drawn from a seed
    np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-6)


def test_standard_input(lenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.TextIOWrapper(io.BytesIO(lenet.read_bytes()))
    monkeypatch.setattr(sys, "stdin", data)
    assert main(["check", "-"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["build", "--set", "classes=3"], "NN0202"),
        (["check", "--with", "mask"], "NN0306"),
        (["check", "--model", "Other"], "NN0306"),
        (["train", "--data", "sklearn:digits"], "NN0403"),
        (["fmt"], "NN0002"),
    ],
)
def test_what_an_onnx_model_has_not(
    lenet: Path, arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = arguments
    assert main([command, str(lenet), *rest]) == 1
    assert f"error[{code}]" in capsys.readouterr().err


def test_a_damaged_file(lenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lenet.write_bytes(lenet.read_bytes()[:5000])
    assert main(["check", str(lenet)]) == 1
    assert "error[NN0801]" in capsys.readouterr().err
