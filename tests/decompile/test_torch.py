"""What PyTorch exports, written as `.nn`: blocks and loops, and the same outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.decompile.source import Source
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import read_model
from tests.decompile.support import assert_same_outputs
from tests.onnx_import.networks import FAST, NOT_BY_TORCHSCRIPT, SLOW, network
from tests.onnx_import.test_torch import export

CASES = [
    pytest.param(name, dynamo, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in (*FAST, *SLOW)
    for dynamo in (True, False)
    if dynamo or name not in NOT_BY_TORCHSCRIPT
]


def written(name: str, dynamo: bool, folder: Path) -> Source:
    """The network's export as `.nn`, whose outputs were compared."""
    module, x = network(name)
    path = folder / f"{name}.onnx"
    export(module, x, path, dynamo)
    file = read_model(path)
    imported = import_model(file, evaluate)
    (value,) = imported.graph.inputs
    return assert_same_outputs(imported, file, {value.name: x.numpy()}, folder)


@pytest.mark.parametrize(("name", "dynamo"), CASES)
def test_round_trip(name: str, dynamo: bool, tmp_path: Path) -> None:
    source = written(name, dynamo, tmp_path)
    assert source.structured
    assert "::" not in source.text  # names that only the exporter has
