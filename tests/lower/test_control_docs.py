"""Each program in docs/language_control.md compiles and runs, in NumPy and in onnxruntime."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import run
from tests.lower.programs import program

TEXT = Path(__file__).parents[2] / "docs" / "language_control.md"
PROGRAMS = re.findall(r"^```nn\n(.*?)^```", TEXT.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", PROGRAMS, ids=lambda text: text.split()[1])
@pytest.mark.parametrize("size", [1, 3])
def test_program(text: str, size: int) -> None:
    made = program(text)
    assert not made.warnings
    rng = np.random.default_rng(0)
    given = {}
    for value in made.graph.inputs:
        shape = [d if isinstance(d, int) else size for d in value.shape]
        given[value.name] = np.asarray(rng.uniform(0.1, 1, shape)).astype(value.type.dtype.numpy)
    expected = run(made.graph, given).outputs
    for name, array in Session(emit(legalize(made.graph))).run(given).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)
