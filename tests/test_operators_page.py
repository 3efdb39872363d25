"""docs/ops.md is what its script writes, and onnxruntime's kernels are as they are kept."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest

from nncomp.backends.ort.kernels import kernels
from tests.ops.checks import all_samples

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ops_page", DOCS / "ops.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script: ModuleType) -> None:
    """`python docs/ops.py` writes it."""
    assert (DOCS / "ops.md").read_text(encoding="utf-8") == script.page()


def test_some_kernels_are_as_they_are_kept(script: ModuleType) -> None:
    rng = random.Random(0)
    samples: dict[str, list[object]] = {}
    for sample in all_samples():
        samples.setdefault(sample.op.name, []).append(sample)
    rows = [
        (name, version, variable)
        for name, versions in kernels().providers["cpu"].items()
        for version, variables in versions.items()
        for variable in variables
    ]
    for name, version, variable in rng.sample(rows, 12):
        opset = dict(script.versions(name))[int(version)]
        found = script.sorted_out(samples[name], variable, opset, "CPUExecutionProvider")
        assert found == kernels().providers["cpu"][name][version][variable], (name, version)
