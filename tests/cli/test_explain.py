"""`nncomp explain FILE NODE`: sources, rewrites, and why nearby rules did not fire."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncomp.cli import main

MODEL = """nn 1
from std import BatchNorm, Conv

model B {
  input x: f32[N, 3, 8, 8]
  y = x |> BatchNorm() as norm |> Conv(4, 3, pad=1) as conv
  output z = relu(y) + tanh(y)
  entry half {
    input u: f32[N, 3, 8, 8]
    output w = u |> Conv(2, 1) as small |> relu
  }
}
"""


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b.nn").write_text(MODEL)


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def test_what_was_refused_at_a_node_and_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    out = explained(capsys, "b.nn", "norm")
    assert out.startswith("BatchNormalization(f32[N, 3, 8, 8], f32[3]")
    assert "  in block norm\n  from b.nn:6:12: y = x |> BatchNorm() as norm" in out
    assert "  refused fold-into-previous at BatchNormalization: no convolution or product" in out
    assert "  beside it, refused fold-into-next at Conv: Conv cannot take BatchNorm" in out
    assert "  not there for fold-batch-norm/fold-into-batch-norm: arithmetic(" in out


def test_an_onnx_model_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """A new batch norm does not move zero, as its weights tell: padding is no hindrance."""
    assert main(["build", "b.nn", "-O0"]) == 0
    capsys.readouterr()
    out = explained(capsys, "b.onnx", "Conv")
    assert "made by fold-batch-norm/fold-into-next" in out
    assert "from b.onnx:" in out
    assert "refused fuse-activation at Relu: the convolution cannot take Relu in" in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(explained(capsys, "b.nn", "conv", "--format", "json"))
    assert found["more"] == 0
    (node,) = found["nodes"]
    assert (node["operator"], node["block"], node["made_by"]) == ("Conv", "conv", [])
    assert node["sources"][0]["place"] == "b.nn:6:35"
    assert node["refused"][0]["rule"] == "fold-into-next"
    assert {r["at"] for r in node["refused_beside"]} == {"BatchNormalization", "Relu", "Tanh"}
    assert node["not_there"][0]["rule"] == "fold-pads/pad-into-conv"


def test_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    out = explained(capsys, "b.nn", "small", "--entry", "half")
    assert "made by fuse-conv-activation/fuse-activation" in out


def test_no_such_node(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "b.nn", "nrom"]) == 1
    error = capsys.readouterr().err
    assert "error[NN0103]" in error
    assert "`norm`" in error


def test_the_rules_of_a_pass(capsys: pytest.CaptureFixture[str]) -> None:
    out = explained(capsys, "fold-pads")
    assert "pad-into-conv: Conv(Pad(x), W, B)" in out
