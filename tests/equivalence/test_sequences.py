"""Sequences in checks: drawn for inputs, compared tensor by tensor."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from nncomp.driver.verifying import backends, write_fault
from nncomp.equivalence.checking import check_passes
from nncomp.equivalence.compare import difference
from nncomp.passes.manager import pipeline
from tests.lower.programs import program
from tests.passes.broken import no_ops

A, B = np.ones(2, np.float32), np.array([3.0], np.float32)


@pytest.mark.parametrize(
    ("found", "apart"),
    [([A, B], 0.0), ([A, B + 3], 1.0), ([A], math.inf), ([A, B, B], math.inf), ([B, A], math.inf)],
)
def test_difference(found: list[np.ndarray], apart: float) -> None:
    assert difference({"y": found, "other": [A]}, {"y": [A, B]}).size == apart


def test_a_fault_in_what_is_put_into_a_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "model M {\n  input xs: sequence[f32[_, 3]]\n"
        "  output ys = onnx.SequenceInsert(xs, tanh(xs[1]) * [1.0, 2.0, 1.0])\n}\n"
    )
    graph, passes = program(text).graph, pipeline(2)
    assert check_passes(graph, passes, backends()).equal
    broken = next(fault for fault in no_ops.FAULTS if fault.build is no_ops.scaled)
    for owner, name, wrong in broken.patches:
        monkeypatch.setattr(owner, name, wrong)
    fault = check_passes(graph, passes, backends()).fault
    assert fault is not None
    assert (fault.pass_name, fault.rule) == (broken.pass_name, broken.rule)
    written = {path.name for path in write_fault(fault, tmp_path)}
    assert {"before.nn", "after.nn", "inputs.npz"} <= written
