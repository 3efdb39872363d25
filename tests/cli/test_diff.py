"""`nncomp diff` on files of both kinds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import onnx
import pytest

import nncomp
from nncomp.cli import main
from tests.inspect.diff.support import CHAIN, model, written

MODELS = Path(__file__).parents[2] / "models"
CHOICE = """
<ir_version: 8, opset_import: ["" : 17]>
f (float[N,2] x, bool which) => (float[N,2] y)
{
  y = If (which) <
    then_branch = g1 () => (float[N,2] a) { a = Neg(x) },
    else_branch = g2 () => (float[N,2] b) { b = Abs(x) }
  >
}
"""
LENET = str(MODELS / "lenet5.nn")


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_model_and_what_is_built_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", LENET, "-o", "plain.onnx", "-O0"]) == 0
    assert main(["diff", LENET, "plain.onnx"]) == 0
    assert capsys.readouterr().out.endswith("equal\n")
    assert main(["build", LENET, "-o", "fast.onnx"]) == 0
    assert main(["diff", LENET, "fast.onnx"]) == 1
    out = capsys.readouterr().out
    assert "- fc1: 3 nodes (Transpose, MatMul, Add)\n+ fc1: Gemm(" in out
    assert "\033" not in out
    assert main(["diff", "-O2", LENET, "fast.onnx"]) == 0
    assert main(["diff", "plain.onnx", "plain.onnx"]) == 0


def test_a_model_beside_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", LENET, "--set-b", "classes=7"]) == 1
    out = capsys.readouterr().out
    assert main(["diff", LENET, LENET, "--set-b", "classes=7"]) == 1
    assert capsys.readouterr().out == out
    with pytest.raises(SystemExit):
        main(["diff", LENET])
    assert "needs B" in capsys.readouterr().err


def test_hyperparameters_and_weights_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", LENET, LENET, "--set", "classes=7"]) == 0
    capsys.readouterr()
    assert main(["diff", LENET, LENET, "--set-b", "classes=7", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["weight"] == {"changed": 2}
    assert found["same_weights"] == 8
    nncomp.load(LENET, seed=1).save("w.safetensors")
    assert main(["diff", LENET, LENET, "--weights-b", "w.safetensors"]) == 1
    assert main(["diff", LENET, LENET, "--weights-b", "w.safetensors", "--no-weights"]) == 0
    assert main(["diff", LENET, LENET, "--weights", "w.safetensors"]) == 0
    assert main(["diff", LENET, LENET, "--weights-b", "w.safetensors", "--tolerance", "9"]) == 0


def test_one_model_twice_is_told_apart_by_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", LENET, LENET, "--set-b", "classes=7"]) == 1
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"--- {LENET} (LeNet5:")
    assert second.startswith(f"+++ {LENET} classes=7 (LeNet5:")


def test_json_names_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    written(Path(), "a", CHAIN)
    written(Path(), "b", CHAIN.replace("[1, 1, 1, 1]>(x", "[0, 0, 0, 0]>(x"))
    assert main(["diff", "a.onnx", "b.onnx", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["a"] == {"file": "a.onnx", "model": "f", "nodes": 6, "weights": 3}
    assert found["changes"][0] == {
        "part": "node",
        "kind": "changed",
        "path": "c1",
        "op": "Conv",
        "block": "",
        "details": [
            {"what": "pads", "before": [1, 1, 1, 1], "after": [0, 0, 0, 0]},
            {"what": "result", "before": "f32[N, 6, 8, 8]", "after": "f32[N, 6, 6, 6]"},
        ],
    }


def test_an_input_that_is_a_constant_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(onnx.parser.parse_model(CHOICE), "a.onnx")
    assert main(["diff", "a.onnx", "a.onnx", "--set", "which=true"]) == 0
    assert main(["diff", "a.onnx", "--set", "which=true", "--set-b", "which=false"]) == 1
    assert "Abs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["a.onnx", "nowhere.onnx"], "NN0001"),
        (["a.onnx", "garbage.onnx"], "NN0801"),
        (["a.onnx", "bad.nn"], "NN0105"),
        (["a.onnx", "a.onnx", "--set", "n=1"], "NN0202"),
        (["a.onnx", "a.onnx", "--model", "Other"], "NN0306"),
        (["a.onnx", "a.onnx", "--atol", "-1"], "NN0208"),
    ],
)
def test_what_cannot_be_compared(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written(Path(), "a", CHAIN)
    Path("garbage.onnx").write_bytes(os.urandom(64))
    Path("bad.nn").write_text("model {")
    assert main(["diff", *arguments]) == 2
    captured = capsys.readouterr()
    assert f"error[{code}]" in captured.err
    assert captured.out == ""


def test_hostile_names(capsys: pytest.CaptureFixture[str]) -> None:
    """What a terminal, `rich` or JSON would take for a command is shown as it is, in one line."""
    names = [
        "\033[31mred\033[0m",
        "two\nlines",
        "[bold]x[/bold]",
        "long" * 10_000,
        "\u202eltr",
        "🦜",
    ]
    text = CHAIN.replace("  shape = Constant<value_ints=[0, 4]>()\n", "")
    proto = model(text.replace("(p, shape)", "(p)").replace("Reshape", "Identity"))
    nodes = proto.graph.node
    for node, behind, name in zip(nodes, nodes[1:], names, strict=False):
        node.output[0] = behind.input[0] = name
    path = Path("a.onnx")
    path.write_bytes(proto.SerializeToString())
    other = onnx.ModelProto.FromString(path.read_bytes())
    for node in other.graph.node:
        node.op_type = {"Relu": "Tanh"}.get(node.op_type, node.op_type)
    Path("b.onnx").write_bytes(other.SerializeToString())
    for form in ("text", "json"):
        assert main(["diff", "a.onnx", "b.onnx", "--format", form]) == 1
        out = capsys.readouterr().out
        assert "\033" not in out
        if form == "text":
            assert r"~ two\nlines: operator Relu → Tanh" in out
            assert all(len(line) < 400 for line in out.splitlines())
        else:
            assert {c["path"] for c in json.loads(out)["changes"]} == {names[1], names[3]}


def test_from_python() -> None:
    seven = nncomp.load(LENET, classes=7)
    found = nncomp.diff(LENET, seven)
    assert repr(found).startswith("<Diff ")
    assert [c.path for c in found.of("weight")] == ["fc3.weight", "fc3.bias"]
    assert len(found.pairs) == 18
    assert all(a.op.name == b.op.name for a, b in found.pairs if a and b)
    seven.build("seven.onnx", level=0)
    assert nncomp.diff(seven, "seven.onnx").equal
    assert nncomp.diff(nncomp.load("seven.onnx"), seven).equal
