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
