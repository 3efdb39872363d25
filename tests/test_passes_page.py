"""docs/passes.md says what the passes are, with a graph before and after each."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from nncomp.passes.selection import pass_names

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_passes", DOCS / "passes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_the_one_that_is_written(script: ModuleType) -> None:
    assert script.PAGE.read_text("utf-8") == script.page(), "run: python docs/passes.py"


def test_each_pass_has_an_example(script: ModuleType) -> None:
    """A new one may need a model in docs/passes.nn."""
    sections = re.split(r"^## ", script.page(), flags=re.MULTILINE)[1:]
    assert [section.partition("\n")[0] for section in sections] == pass_names()
    for section in sections:
        assert section.count("```text") == 2, section.partition("\n")[0]
