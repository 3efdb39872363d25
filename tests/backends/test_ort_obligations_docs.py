"""docs/obligations.md shows what is written for its program."""

from __future__ import annotations

import json
import re
from pathlib import Path

from nncomp.backends.ort.obligations import OBLIGATIONS_KEY
from nncomp.driver.compiling import onnx_model
from nncomp.lower.program import lower
from nncomp.source import SourceFile

PAGE = (Path(__file__).parents[2] / "docs" / "obligations.md").read_text("utf-8")


def test_the_page_shows_what_is_written() -> None:
    (text,) = re.findall(r"```nn\n(.*?)```", PAGE, re.S)
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    model = onnx_model(lower(SourceFile("net.nn", text)).graph)
    (written,) = [p.value for p in model.metadata_props if p.key == OBLIGATIONS_KEY]
    assert json.loads(written) == json.loads(shown)
