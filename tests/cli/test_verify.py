"""`nncomp verify`, `build --verify`, and what is chosen and shown of passes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from nncomp.cli import main
from nncomp.ir.graph import Node
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.passes import fold_batch_norm
from nncomp.passes.affine import affine_of
from nncomp.passes.rewrite import Facts

TINY = """nn 1
from std import BatchNorm, Conv, SGD

model Tiny {
  input image: f32[N, 3, 8, 8]
  input target: f32[N, 4, 8, 8]
  y = image |> Conv(4, 3, pad=1, use_bias=false) |> BatchNorm() |> relu
  output y
  train { minimize mean((y - target) ** 2) by SGD(lr=0.1) }
}
"""


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.nn").write_text(TINY)


@pytest.fixture
def _without_epsilon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold of batch norm that adds ten times the epsilon."""

    def wrong(node: Node, facts: Facts) -> Any:
        if isinstance(node.op, BatchNormalization):
            op = dataclasses.replace(node.op, epsilon=10 * node.op.epsilon)
            types = tuple(v.type for v in node.outputs)
            node = Node(op, node.inputs, types, node.origin)
        return affine_of(node, facts)

    monkeypatch.setattr(fold_batch_norm, "affine_of", wrong)


def test_equal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "tiny.nn"]) == 0
    out = capsys.readouterr().out
    assert "fold-batch-norm" in out
    assert "2 runs · N=2: normal numbers · N=" in out
    assert "equal after each of" in out
    assert not Path("tiny.fault").exists()


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "tiny.nn", "--format", "json", "--numpy-only", "-O1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is True
    assert found["fault"] is None
    assert found["sides"] == 2
    assert found["passes"][0]["pass"] == "inline-bodies"
    assert {judge for p in found["passes"] for judge in p["moved"]} <= {
        "NumPy",
        "NumPy in float64",
    }


def test_an_onnx_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "tiny.nn", "-O0"]) == 0
    capsys.readouterr()
    assert main(["verify", "tiny.onnx"]) == 0
    assert "equal after each of" in capsys.readouterr().out


def test_a_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "tiny.nn", "--train"]) == 0
    assert "equal after each of" in capsys.readouterr().out


def test_all_numbers_of_a_step_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """What an optimiser begins with as zeros is not drawn so that a root is none."""
    Path("ode.nn").write_text("""nn 1
from std import Linear
from std.optim import Adam

model ODE {
  input x: f32[N, 2]
  field = Linear(2)
  (z, i) = loop (z: float[N, 2] = x, i=0) while i < 3 {
    z = z + 0.1 * tanh(field(z))
    i = i + 1
  }
  output z
  train { minimize mean(square(z)) by Adam(lr=1e-2) }
}
""")
    assert main(["verify", "ode.nn", "--train"]) == 0
    out = capsys.readouterr().out
    assert "equal after each of" in out
    assert "NaN" not in out


@pytest.mark.usefixtures("_without_epsilon")
def test_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "tiny.nn"]) == 1
    captured = capsys.readouterr()
    assert "error[NN0703]: `fold-batch-norm/fold-into-previous` changes `y` by" in captured.err
    assert "tiny.nn:7" in captured.err
    assert "is in tiny.fault" in captured.err
    names = sorted(path.name for path in Path("tiny.fault").iterdir())
    assert {"before.onnx", "after.onnx", "before.nn", "after.nn", "inputs.npz"} <= {*names}
    before = onnx.load("tiny.fault/before.onnx")
    assert [node.op_type for node in before.graph.node] == ["Conv", "BatchNormalization"]
    (name,) = np.load("tiny.fault/inputs.npz").files
    assert name == before.graph.input[0].name
    # what is written shows it again
    assert main(["verify", "tiny.fault/before.onnx", "--passes", "fold-batch-norm"]) == 1


@pytest.mark.usefixtures("_without_epsilon")
def test_a_fault_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "tiny.nn", "--format", "json", "-o", "here"]) == 1
    fault = json.loads(capsys.readouterr().out)["fault"]
    assert (fault["pass"], fault["rule"]) == ("fold-batch-norm", "fold-into-previous")
    assert fault["output"] == "y"
    assert fault["piece_nodes"] == 2
    assert Path("here/inputs.npz").exists()


@pytest.mark.usefixtures("_without_epsilon")
@pytest.mark.parametrize("suffix", ["nn", "onnx"])
def test_build_writes_nothing_that_is_wrong(
    suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "tiny.nn", "-O0"]) == 0
    assert main(["build", "tiny.nn", "-O0", "-o", "new.onnx"]) == 0
    before = Path("new.onnx").read_bytes()
    command = ["build", f"tiny.{suffix}", "--verify", "-o"]
    assert main([*command, "new.onnx"]) == 1
    error = capsys.readouterr().err
    assert "error[NN0703]: `fold-batch-norm/fold-into-previous` changes `y` by" in error
    assert Path("new.onnx").read_bytes() == before
    assert main([*command, "other.onnx"]) == 1
    assert not Path("other.onnx").exists()


def test_build_verifies_all_that_it_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "tiny.nn", "--verify", "--train"]) == 0
    out = capsys.readouterr().out
    assert "Tiny: equal after each of" in out
    assert "Tiny.train: equal after each of" in out
    assert Path("tiny.onnx").exists()


def test_passes_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "tiny.nn", "--passes", "fold-batch-norm,fold-constants"]) == 0
    operators = [node.op_type for node in onnx.load("tiny.onnx").graph.node]
    assert operators == ["Conv", "Relu"]
    assert main(["inspect", "tiny.nn", "--passes", "fold-pads"]) == 0
    assert main(["build", "tiny.nn", "--passes", "fold-batch-norn"]) == 1
    err = capsys.readouterr().err
    assert "error[NN0103]: there is no pass `fold-batch-norn`" in err
    assert "did you mean `fold-batch-norm`?" in err


def test_graphs_in_between(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "tiny.nn", "--print-after", "fold-batch-norm"]) == 0
    err = capsys.readouterr().err
    assert "fold-batch-norm: fold-into-previous ×1\nmodel Tiny {" in err
    assert main(["build", "tiny.nn", "--print-after", "all", "--print-to", "steps"]) == 0
    files = sorted(path.name for path in Path("steps").iterdir())
    assert any(name.endswith("-fold-batch-norm.nn") for name in files)
    assert all(main(["fmt", "--check", f"steps/{name}"]) in (0, 1) for name in files)
    assert main(["build", "tiny.nn", "--print-after", "fold-pad"]) == 1
    assert main(["build", "tiny.nn", "--print-after", "fold-pads", "--passes", "fold-constants"])
    assert "`fold-pads` is not among the passes that run" in capsys.readouterr().err


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("build", "inspect"):
        assert main([command, "tiny.nn", "--passes-table"]) == 0
        err = capsys.readouterr().err
        assert "fold-into-previous ×1" in err
        assert " ms " in err


def test_the_readme_counts_the_passes(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[2]
    assert main(["verify", str(root / "examples" / "classifier.nn"), "--numpy-only"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("equal after each of ")
    assert f"{last}\n" in (root / "README.md").read_text()
