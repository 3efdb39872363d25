"""ONNX's own models of more than one node, written as `.nn` and built again."""

from __future__ import annotations

import random
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.case.test_case import TestCase
from tests.onnx_import.test_onnx_data import DATA, EXCLUDED, SETS, contents, import_case

from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.decompiling import source_of
from nncomp.errors import CompileError
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import parse_model, read_model
from tests.decompile.support import assert_same_outputs
from tests.onnx_import.mutants import mutant
from tests.onnx_import.test_mutations import models

REFUSED = {
    "test_sequence_map_add_1_sequence_1_tensor_expanded",
    "test_sequence_map_add_2_sequences_expanded",
    "test_sequence_map_extract_shapes_expanded",
    "test_sequence_map_identity_1_sequence_1_tensor_expanded",
    "test_sequence_map_identity_1_sequence_expanded",
    "test_sequence_map_identity_2_sequences_expanded",
}
"""Node cases that are no graphs of ours: their inputs are sequences."""

LIGHT = sorted((DATA / "light").glob("*.onnx"))


@cache
def cases() -> list[TestCase]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None) if len(case.model.graph.node) > 1]


PARTS = 8  # one of them is quick


@pytest.mark.parametrize(
    "part", [pytest.param(n, marks=[pytest.mark.slow] if n else []) for n in range(PARTS)]
)
def test_node_cases(part: int, tmp_path: Path) -> None:
    found = cases()
    for case in found[part::PARTS]:
        names = [info.name for info in case.model.graph.input]
        file = parse_model(case.model.SerializeToString(), f"{case.name}.onnx")
        for inputs, _ in case.data_sets[:1]:
            if case.name in REFUSED:
                with pytest.raises(CompileError, match="NN0804"):
                    import_case(file, names, list(inputs))
                continue
            imported = import_case(file, names, list(inputs))
            given = dict(zip(names, map(np.asarray, inputs), strict=False))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of NumPy's casts
                assert_same_outputs(imported, file, given, tmp_path)
    assert len(found) >= 400


@pytest.mark.parametrize(
    "path",
    [path for path in SETS if path.name not in EXCLUDED],
    ids=lambda p: p.name,
)
def test_bundled_models(path: Path, tmp_path: Path) -> None:
    file = read_model(path / "model.onnx")
    given = {t.name for t in file.proto.graph.initializer}
    folder = path / "test_data_set_0"
    arrays = [contents(folder / f"input_{i}.pb") for i in range(len([*folder.glob("input_*.pb")]))]
    names = [info.name for info in file.proto.graph.input]
    names = names if len(arrays) == len(names) else [name for name in names if name not in given]
    model = import_case(file, names, arrays)
    inputs = dict(zip(names, arrays, strict=True))
    if {v.name for v in model.graph.inputs} <= inputs.keys():
        assert_same_outputs(model, file, inputs, tmp_path)


@pytest.mark.parametrize("path", [pytest.param(p, marks=[pytest.mark.slow]) for p in LIGHT])
def test_light_models(path: Path, tmp_path: Path) -> None:
    """Image networks whose weights are operators."""
    file = read_model(path)
    model = import_case(file, [], [])
    shapes = {v.name: v.type.static_shape for v in model.graph.inputs}
    inputs = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    assert_same_outputs(model, file, inputs, tmp_path)


def damaged(seed: int, count: int) -> None:
    """What can be imported at all is written, or refused with a code."""
    rng, written = random.Random(seed), 0
    for _ in range(count):
        data = mutant(rng.choice(models()), rng)
        try:
            file = parse_model(data)
            source_of(import_model(file, evaluate), file)
            written += 1
        except CompileError as failure:
            str(failure)  # that it can be shown
    assert 0 < written < count / 2


def test_damaged_models() -> None:
    damaged(1, 300)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_damaged_models(seed: int) -> None:
    damaged(100 + seed, 2_000)
