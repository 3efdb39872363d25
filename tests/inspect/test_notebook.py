"""Models, graphs and passes draw themselves, as IPython asks them to."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from IPython.core.formatters import DisplayFormatter

import nncomp
from nncomp.driver.programs import load_program
from nncomp.ir.drawn import Drawn
from nncomp.passes.fold_batch_norm import FoldBatchNorm
from nncomp.passes.manager import optimize
from nncomp.source import SourceFile

CLASSIFIER = Path(__file__).resolve().parent.parent.parent / "examples" / "classifier.nn"


def shown(thing: Any) -> dict[str, str]:
    """By IPython's own formatter."""
    bundle, _ = DisplayFormatter().format(thing)
    return dict(bundle)


def picture(bundle: dict[str, str]) -> str:
    text = bundle["image/svg+xml"]
    assert ElementTree.fromstring(text).tag.endswith("svg")
    return text


@pytest.fixture(scope="module")
def model() -> nncomp.Model:
    return nncomp.load(CLASSIFIER)


def test_a_model(model: nncomp.Model) -> None:
    bundle = shown(model)
    assert "as written" in picture(bundle)
    assert "20,586 trainable parameters" in bundle["text/plain"]
    assert shown(model.program) == bundle


def test_a_graph(model: nncomp.Model) -> None:
    bundle = shown(model.graph)
    assert "Conv" in picture(bundle)
    assert "onnx.Conv(" in bundle["text/plain"]


def test_passes(model: nncomp.Model) -> None:
    result = optimize(model.graph)
    bundle = shown(result)
    assert "optimised" in picture(bundle)
    assert "fold-batch-norm: 10 → 8 nodes, fold-into-previous ×2" in bundle["text/plain"]
    record = next(record for record in result.log if record.name == "fold-batch-norm")
    assert picture(shown(record)) != picture(bundle)
    assert shown(record)["text/plain"] in bundle["text/plain"]
    assert shown(FoldBatchNorm())["text/plain"].startswith("fold-batch-norm: ")
    assert shown(optimize(model.graph, 0))["text/plain"] == "nothing changed"


def test_long_texts_are_cut() -> None:
    lines = "\n".join(f"  output y{i} = relu(x + {i}.0)" for i in range(300))
    program = load_program(SourceFile("m.nn", f"model M {{\n  input x: f32[3]\n{lines}\n}}\n"))
    text = shown(program.graph)["text/plain"]
    assert text.splitlines()[-1].endswith("lines more")


def test_a_model_that_only_trains() -> None:
    program = load_program(
        SourceFile(
            "m.nn",
            "from std.optim import SGD\n\nmodel M {\n  input x: f32[N, 3]\n"
            "  param w: f32[3] = ones()\n  train {\n"
            "    minimize mean(x * w) by SGD(lr=0.1)\n  }\n}\n",
        )
    )
    picture(shown(program))


def test_what_nobody_can_draw_has_its_text() -> None:
    class Thing(Drawn):
        def __repr__(self) -> str:
            return "a thing"

    assert shown(Thing()) == {"text/plain": "a thing"}
