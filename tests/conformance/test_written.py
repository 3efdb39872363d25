"""What is written for onnxruntime opens there: the models of ONNX's node suite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

import nncomp
from nncomp.backends.ort.runtime import open_session
from nncomp.errors import CompileError
from tests.conformance.cases import Case, node_cases

# StringNormalizer asks the system for the locale en_US.UTF-8, which not every one has
_ASKS_FOR_LOCALE = "test_strnormalizer_export"
_WERE_REFUSED = ("window", "bitcast", "padded_kv_bf16_expanded")


def _refused(cases: Iterable[Case], folder: Path) -> list[str]:
    """Those that onnxruntime does not open; what `build` refuses with a code is not written."""
    found = []
    for case in cases:
        source, written = folder / "source.onnx", folder / "written.onnx"
        source.write_bytes(case.model.SerializeToString())
        try:
            nncomp.load(source).build(written)
        except CompileError:
            continue
        try:
            open_session(written, optimize=False)
        except CompileError as refusal:
            found.append(f"{case.name}: {refusal}")
    return [line for line in found if not line.startswith(_ASKS_FOR_LOCALE)]


def test_a_sample_of_the_suite_opens(tmp_path: Path) -> None:
    cases = node_cases()
    chosen = [case for case in cases if any(word in case.name for word in _WERE_REFUSED)]
    assert len(chosen) > len(_WERE_REFUSED)
    assert not _refused([*chosen, *cases[::40]], tmp_path)


@pytest.mark.slow
def test_the_whole_suite_opens(tmp_path: Path) -> None:
    assert not _refused(node_cases(), tmp_path)
