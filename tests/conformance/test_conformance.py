"""ONNX's conformance suite: results, inferred types, and these beside ONNX's own inference."""

from __future__ import annotations

import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.ir.verify import verify
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import read_model
from tests.conformance.cases import DATA, SETS, bundled_cases, node_cases
from tests.conformance.exceptions import EXCEPTIONS
from tests.conformance.inference import MOST_COARSER, compare
from tests.conformance.running import outcome

PASS = 1865  # of the 1,884 node cases of onnx 1.23.2


def test_node_cases() -> None:
    """All but the exceptions pass. What kernels give is of the types that were inferred, in every
    case and node; ONNX's own inference contradicts none, and knows more of few."""
    outcomes = [outcome(case) for case in node_cases()]
    failed = {found.case.name: found.failure for found in outcomes if found.failure}
    assert failed.keys() == EXCEPTIONS.keys(), failed
    assert len(outcomes) - len(failed) >= PASS
    assert {found.case.name: found.untyped for found in outcomes if found.untyped} == {}
    types = compare(outcomes)
    assert types.values >= 10_000
    assert types.contradictions == ()
    assert len(types.coarser) <= MOST_COARSER * types.values, types.coarser


@pytest.mark.parametrize("kind", SETS)
def test_bundled_cases(kind: str) -> None:
    outcomes = [outcome(case) for case in bundled_cases(kind)]
    assert outcomes
    assert {found.case.name: found.failure for found in outcomes if found.failure} == {}
    assert {found.case.name: found.untyped for found in outcomes if found.untyped} == {}


@pytest.mark.parametrize("path", sorted((DATA / "light").glob("*.onnx")), ids=lambda p: p.stem)
def test_light_model(path: object) -> None:
    """Image networks whose weights are operators: they are imported and well formed."""
    model = import_model(read_model(str(path)), evaluate)
    verify(model.graph)
    assert len(model.graph.nodes) >= 50
