"""Inputs that ask for too much are refused: with a code, without a traceback, within 300 MB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nncomp.limits import limited
from nncomp.lower.program import lower
from nncomp.source import SourceFile
from tests.bad_inputs import CASES
from tests.refusals import Case, Runner

MOST_MEGABYTES = 300


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_refused(case: Case, runner: Runner, tmp_path: Path) -> None:
    output = tmp_path / "out.onnx"
    output.write_bytes(b"as it was")
    outcome = runner.run(case, tmp_path)
    assert outcome.status == 1, outcome.report[-2000:]
    assert any(f"error[{code}]" in outcome.report for code in case.codes.split()), outcome.report
    assert "Traceback" not in outcome.report
    assert outcome.megabytes < MOST_MEGABYTES
    assert output.read_bytes() == b"as it was"
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"model.nn", "out.onnx", *case.files}


@pytest.mark.slow
def test_large_models_pass() -> None:
    long = "  for i in range(100_000) { x = relu(x) }\n"
    wide = "  x = relu(x)\n" * 100_000
    for statements in (long, wide):
        text = f"model M {{\n  input x: f32[N, 8]\n{statements}  output x\n}}"
        with limited(words=10**6):
            graph = lower(SourceFile("m.nn", text)).graph
        assert len(graph.nodes) == 100_000
