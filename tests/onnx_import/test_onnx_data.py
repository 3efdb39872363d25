"""ONNX's own test models through the importer, run in NumPy."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.errors import CompileError
from nncomp.ir.verify import verify
from nncomp.onnx_import.importer import Imported, import_model
from nncomp.onnx_import.reading import parse_model, read_model
from nncomp.types import Array

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
NODE_CASES = 1_530
"""How many of the node cases run and agree. It may only grow."""

EXCLUDED = {  # of the others: why they are no graphs of ours
    **dict.fromkeys(
        [
            "test_strnorm_model_monday_casesensintive_lower",
            "test_strnorm_model_monday_casesensintive_nochangecase",
            "test_strnorm_model_monday_casesensintive_upper",
            "test_strnorm_model_monday_empty_output",
            "test_strnorm_model_monday_insensintive_upper_twodim",
            "test_strnorm_model_nostopwords_nochangecase",
        ],
        "NN0804",  # texts
    ),
    "test_gradient_of_add": "NN0603",  # ai.onnx.preview.training.Gradient
    "test_gradient_of_add_and_mul": "NN0603",
}
SETS = [
    path
    for kind in ("simple", "pytorch-converted", "pytorch-operator")
    for path in sorted((DATA / kind).iterdir())
]


def contents(path: Path) -> Array:
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def settings(names: list[str], arrays: list[Any]) -> dict[str, Array]:
    """What may be a shape, axes or a position: small tensors, which are given while importing."""
    pairs = {
        n: np.asarray(a)
        for n, a in zip(names, arrays, strict=False)
        if isinstance(a, np.ndarray | np.generic)
    }
    small = {n: a for n, a in pairs.items() if a.ndim <= 1 and a.size <= 64}
    return {n: a for n, a in small.items() if a.dtype.kind in "iufb"}


def import_case(data: Any, names: list[str], arrays: list[Any]) -> Imported:
    """The model, with small inputs as constants only where it cannot be typed without."""
    try:
        found = import_model(data, evaluate)
    except CompileError as failure:
        if failure.diagnostics[0].code not in ("NN0212", "NN0804"):
            raise
        found = import_model(data, evaluate, settings(names, arrays))
    verify(found.graph)
    return found


def agrees(model: Imported, names: list[str], arrays: list[Any], expected: list[Any]) -> bool:
    has = {v.name for v in model.graph.inputs}
    inputs = {n: np.asarray(a) for n, a in zip(names, arrays, strict=False) if n in has}
    found = run(model.graph, inputs, model.weights).outputs
    return all(
        a.shape == e.shape
        and a.dtype == e.dtype
        and np.allclose(a.astype(float), e.astype(float), rtol=1e-3, atol=1e-5, equal_nan=True)
        for a, e in zip(found.values(), map(np.asarray, expected), strict=True)
    )


@pytest.mark.parametrize("path", SETS, ids=lambda p: p.name)
def test_bundled_model(path: Path) -> None:
    file = read_model(path / "model.onnx")
    given = {t.name for t in file.proto.graph.initializer}
    names = [info.name for info in file.proto.graph.input]
    sets = sorted(path.glob("test_data_set_*"))
    assert sets
    for folder in sets:
        count = len(list(folder.glob("input_*.pb")))
        names = names if count == len(names) else [name for name in names if name not in given]
        if path.name in EXCLUDED:
            with pytest.raises(CompileError) as failure:
                agrees(import_model(file, evaluate), names, [], [])
            assert failure.value.diagnostics[0].code == EXCLUDED[path.name]
            continue
        arrays = [contents(folder / f"input_{i}.pb") for i in range(count)]
        expected = [
            contents(folder / f"output_{i}.pb")
            for i in range(len(list(folder.glob("output_*.pb"))))
        ]
        known = settings(names, arrays) if given & set(names) else None  # inputs with defaults
        model = import_model(file, evaluate, known) if known else import_case(file, names, arrays)
        assert agrees(model, names, arrays, expected)


@pytest.mark.parametrize("path", sorted((DATA / "light").glob("*.onnx")), ids=lambda p: p.stem)
def test_light_model(path: Path) -> None:
    """Image networks whose weights are operators: they are imported and well formed."""
    model = import_model(read_model(path), evaluate)
    verify(model.graph)
    assert len(model.graph.nodes) >= 50


def test_node_cases() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    outcomes: Counter[str] = Counter()
    for case in cases:
        names = [info.name for info in case.model.graph.input]
        try:
            file = parse_model(case.model.SerializeToString())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of NumPy's casts
                fine = all(
                    agrees(import_case(file, names, list(xs)), names, list(xs), list(ys))
                    for xs, ys in case.data_sets
                )
            outcomes["agrees" if fine else "differs"] += 1
        except CompileError as failure:
            outcomes[failure.diagnostics[0].code] += 1
    assert len(cases) >= 1_800
    assert outcomes["agrees"] >= NODE_CASES, outcomes
