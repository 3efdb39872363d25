"""ONNX's own models of more than one node, written as `.nn` and built again."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest

import nncomp
from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.decompiling import source_of
from nncomp.errors import CompileError
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import parse_model, read_model
from tests.conformance.cases import DATA, SETS, Case, bundled_cases, node_cases
from tests.conformance.running import import_case
from tests.decompile.support import assert_same_outputs
from tests.onnx_import.mutants import mutant
from tests.onnx_import.test_mutations import models

LIGHT = sorted((DATA / "light").glob("*.onnx"))


PARTS = 8  # one of them is quick


def check_case(case: Case, folder: Path) -> None:
    inputs, _ = case.data[0]
    file = parse_model(case.model.SerializeToString(), f"{case.name}.onnx")
    imported, _ = import_case(case, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy's casts
        assert_same_outputs(imported, file, inputs, folder)


@pytest.mark.parametrize(
    "part", [pytest.param(n, marks=[pytest.mark.slow] if n else []) for n in range(PARTS)]
)
def test_node_cases(part: int, tmp_path: Path) -> None:
    found = [case for case in node_cases() if len(case.model.graph.node) > 1]
    assert len(found) >= 400
    for case in found[part::PARTS]:
        check_case(case, tmp_path)


@pytest.mark.parametrize("kind", SETS)
def test_bundled_models(kind: str, tmp_path: Path) -> None:
    for case in bundled_cases(kind):
        check_case(case, tmp_path)


@pytest.mark.parametrize("path", [pytest.param(p, marks=[pytest.mark.slow]) for p in LIGHT])
def test_light_models(path: Path, tmp_path: Path) -> None:
    """Image networks whose weights are operators."""
    file = read_model(path)
    model = import_model(file, evaluate)
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


@pytest.mark.parametrize("name", ["add_2_sequences", "add_1_sequence_1_tensor"])
def test_onnxruntime_runs_sequences_that_were_written(name: str, tmp_path: Path) -> None:
    """Sizes that each run of a loop measures anew, claimed to be equal."""
    wanted = f"test_sequence_map_{name}_expanded"
    case = next(case for case in node_cases() if case.name == wanted)
    check_case(case, tmp_path)
    source = parse_model(case.model.SerializeToString(), "model.onnx")
    inputs, expected = case.data[0]
    (tmp_path / "model.nn").write_text(source_of(import_case(case, inputs)[0], source).text)
    found = nncomp.load(tmp_path / "model.nn").run(inputs)
    for mine, other in zip(found["y0"], expected[0], strict=True):
        np.testing.assert_array_equal(mine, other)
