"""`nncomp explain FILE NODE`: sources, rewrites, and why nearby rules did not fire."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
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


def test_a_name_of_the_model_that_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    """As netron and onnxruntime's profiles show it, with a number where there are several."""
    assert main(["build", "b.nn"]) == 0
    built = onnx.load("b.onnx").graph.node
    assert [node.name for node in built][-3:] == ["Relu", "Tanh", "Add"]
    capsys.readouterr()
    for node in built:
        out = explained(capsys, "b.nn", node.name)
        assert f"{node.op_type}(" in out.splitlines()[0]
    assert main(["build", "b.nn", "--entry", "half"]) == 0  # a FusedConv, written as two nodes
    capsys.readouterr()
    for name in ("small/Conv", "small/Relu"):
        out = explained(capsys, "b.nn", "--entry", "half", name)
        assert out.startswith("FusedConv(")
    assert main(["explain", "b.nn", "conv/Relu"]) == 1


HEADS = """nn 1
from std import Linear

model H {
  input x: f32[N, 8]
  a = x |> Linear(4) as a
  b = x |> Linear(3) as b
  output y = a |> relu
  output z = b |> tanh
}
"""


def test_weights_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Without them the rules do not know numbers."""
    Path("h.nn").write_text(HEADS)
    sizes = {"a.weight": (4, 8), "a.bias": (4,), "b.weight": (3, 8), "b.bias": (3,)}
    np.savez("h.npz", **{k: np.ones(shape, np.float32) for k, shape in sizes.items()})
    plain = explained(capsys, "h.nn", "a")
    refused = [line.strip() for line in plain.splitlines() if "refused merge-parallel" in line]
    assert refused == [
        "refused merge-parallel at MatMul: 2 products of one tensor, 4 nodes, would be 3 as one "
        "product with a Split behind it, once the numbers of the weights are known"
    ]
    assert "made by merge-products" in explained(capsys, "h.nn", "a", "--weights", "h.npz")


def test_an_onnx_model_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """A new batch norm does not move zero, as its weights tell: padding is no hindrance."""
    assert main(["build", "b.nn", "-O0"]) == 0
    capsys.readouterr()
    out = explained(capsys, "b.onnx", "Conv")
    assert "made by fold-batch-norm/fold-into-next" in out
    assert "from b.onnx:" in out
    assert "refused fuse-activation at Relu: the convolution cannot take Relu in" in out


TRACE = """File "/home/net.py", line 3, in forward
    return self.fc(x)
  File "/lib/torch/nn/modules/linear.py", line 134, in forward
    return F.linear(input, self.weight, self.bias)"""


def _exported() -> None:
    """A product and its bias, which become one Gemm, with names as PyTorch's exporter gives them,
    and the size of what they give, which is known."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        main (float[2,3] x) => (float[2,4] y, int64[2] size)
        <float[3,4] w = {1,2,3,4,5,6,7,8,9,1,2,3}, float[4] b = {1,2,3,4}> {
            product = MatMul(x, w)
            y = Add(product, b)
            size = Shape(y)
            unread = Neg(y)
        }"""
    )
    for node in model.graph.node:
        node.name = f"/fc/{node.op_type}"
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value=TRACE)
    onnx.save(model, "exported.onnx")


@pytest.mark.parametrize("name", ["/fc/MatMul", "product", "/fc/Add", "fc"])
def test_the_names_of_an_export(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _exported()
    out = explained(capsys, "exported.onnx", name)
    assert out.startswith("Gemm(f32[2, 3], f32[3, 4], f32[4]) -> f32[2, 4]\n  in block fc\n")
    assert "from exported.onnx:2:1: product = MatMul(x, w)  # /fc/MatMul" in out
    assert "  from /home/net.py:3: return self.fc(x)\n" in out
    assert "torch" not in out


def test_a_node_of_which_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    _exported()
    assert main(["explain", "exported.onnx", "/fc/Neg"]) == 1
    error = capsys.readouterr().err
    assert "error[NN0103]: nothing is left of `/fc/Neg` at -O2" in error
    assert "exported.onnx:5:1" in error


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
