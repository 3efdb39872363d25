"""A model is equal to what is built of it without passes, and an ONNX model to what it is again."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from torch import Tensor, nn

import nncomp
from tests.inspect.diff.support import CHAIN, model, told, written
from tests.onnx_import import networks
from tests.onnx_import.test_importer import FOREIGN, FUNCTIONS
from tests.onnx_import.test_torch import export

MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize("name", ["gcn", "gru", "lstm", "mlp", "rnn"])
def test_a_program_equals_its_model(name: str, tmp_path: Path) -> None:
    model = nncomp.load(MODELS / f"{name}.nn")
    model.build(tmp_path / "m.onnx", level=0)
    assert told(nncomp.diff(model, tmp_path / "m.onnx")) == []
    assert nncomp.diff(tmp_path / "m.onnx", tmp_path / "m.onnx").equal


def sized(folder: Path, *shapes: str) -> Path:
    """A model of inputs with those sizes."""
    lines = [f"input x{number}: f32[{shape}]" for number, shape in enumerate(shapes)]
    outputs = [f"output y{number} = x{number} + 1" for number in range(len(shapes))]
    path = folder / f"m{len(list(folder.iterdir()))}.nn"
    path.write_text("\n    ".join(["model M {", *lines, *outputs]) + "\n}\n")
    return path


@pytest.mark.parametrize(
    "shapes",
    [["N, 2 * h"], ["2 * h", "h + w", "w"], ["a * b + 1", "2 * b"], ["a + b", "a + 3 * b + 1"]],
)
def test_formulas_of_sizes_are_the_same_ones(shapes: list[str], tmp_path: Path) -> None:
    path = sized(tmp_path, *shapes)
    nncomp.load(path).build(tmp_path / "m.onnx", level=0)
    for a, b in ((path, path), (path, tmp_path / "m.onnx"), (tmp_path / "m.onnx",) * 2):
        assert told(nncomp.diff(a, b)) == []
        assert nncomp.diff(a, b).equal


@pytest.mark.parametrize(
    ("a", "b", "lines"),
    [
        ("2 * h", "2 * k", ["> dimension h → k"]),
        ("a + 2 * b", "z + 2 * y", ["> dimension b → y", "> dimension a → z"]),
        ("2 * h", "3 * h", ["~ input x0: type f32[2*h] → f32[3*h]"]),
        ("2 * h, 2 * w", "2 * h, 2 * h", ["~ input x0: type f32[2*h, 2*w] → f32[2*h, 2*h]"]),
        ("2 * h, 2 * h", "2 * h, 2 * w", ["~ input x0: type f32[2*h, 2*h] → f32[2*h, 2*w]"]),
        ("h, 2 * h", "h, 2 * w", ["~ input x0: type f32[h, 2*h] → f32[h, 2*w]"]),
        ("h, 2 * w", "h, 2 * h", ["~ input x0: type f32[h, 2*w] → f32[h, 2*h]"]),
    ],
)
def test_formulas_of_sizes_that_differ(a: str, b: str, lines: list[str], tmp_path: Path) -> None:
    found = told(nncomp.diff(sized(tmp_path, a), sized(tmp_path, b)))
    assert found[: len(lines)] == lines
    assert len(found) == len(lines) or lines[0].startswith("~")


def test_a_model_equals_itself_written_again(tmp_path: Path) -> None:
    for text in (CHAIN, FOREIGN, FUNCTIONS):
        proto = model(text) if text is CHAIN else onnx.parser.parse_model(text)
        path = written(tmp_path, "a", proto)
        nncomp.load(path).build(tmp_path / "b.onnx", level=0)
        assert told(nncomp.diff(path, tmp_path / "b.onnx")) == []


def exported(network: nn.Module, x: Tensor, path: Path) -> Path:
    export(network, x, path, dynamo=True)
    return path


def test_an_exported_network_and_one_layer_more(tmp_path: Path) -> None:
    """PyTorch numbers what stands behind anew, nodes and weights; it is still the same."""
    network, x = networks.network("convolutional")
    a = exported(network, x, tmp_path / "a.onnx")
    nncomp.load(a).build(tmp_path / "b.onnx", level=0)
    assert told(nncomp.diff(a, tmp_path / "b.onnx")) == []
    assert isinstance(network, nn.Sequential)
    network.insert(3, nn.Conv2d(8, 8, 1))
    found = nncomp.diff(a, exported(network.eval(), x, tmp_path / "c.onnx"))
    added = [c for c in found.changes if c.kind != "renamed"]
    assert [(c.part, c.kind, c.op) for c in added] == [
        ("node", "added", "Conv"),
        ("weight", "added", ""),
        ("weight", "added", ""),
    ]
