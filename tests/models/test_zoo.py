"""All of models/*.nn: names, lengths, what is built, and NumPy = onnxruntime for every model and
entry; levels 1 to 3 of the table of zoo/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncomp.lower.modules import read_source
from nncomp.lower.program import lower
from tests.models import support
from tests.models.zoo import FILES, FULL, INTERFACES, SMALL, Interface, first
from zoo import levels
from zoo.levels import declared
from zoo.row import Case


def marked(case: Case) -> Any:
    """Cases that take long are for `make test-slow`."""
    return pytest.param(case, marks=pytest.mark.slow if case.heavy else ())


def test_no_model_is_forgotten() -> None:
    models = {(file, d.name.text) for file in FILES for d in declared(file)}
    for rows in (SMALL, FULL):
        assert {first(case) for case in rows} == models
    assert set(INTERFACES) <= set(FILES)


@pytest.mark.parametrize(("file", "expected"), INTERFACES.items(), ids=INTERFACES)
def test_names_that_others_rely_on(file: str, expected: Interface) -> None:
    model = declared(file)[0]
    assert model.name.text == expected.model
    hyperparameters = [p.name.text for p in model.hyperparameters]
    assert not set(expected.hyperparameters) - set(hyperparameters)
    graph = lower(read_source(support.MODELS / file), kinds=()).graph
    inputs = [value.name for value in graph.inputs if value.name not in graph.defaults]
    assert inputs == expected.inputs
    assert list(graph.outputs)[: len(expected.outputs)] == expected.outputs


@pytest.mark.parametrize("size", ["gpt2", "gpt2-xl", "gpt3"])
def test_sizes_of_gpt(size: str) -> None:
    """As text, which `--set` gives."""
    source = read_source(support.MODELS / "gpt.nn")
    assert lower(source, settings={"size": size}, kinds=()).graph.outputs


# --- lengths ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "most"),
    [
        ("alexnet.nn", 20),
        ("gpt.nn", 40),
        ("gru.nn", 25),
        ("lstm.nn", 25),
        ("resnet.nn", 35),
        ("rnn.nn", 25),
        *((f"{name}.nn", 60) for name in ("capsnet", "mamba", "moe", "ntm", "senet", "wavenet")),
    ],
)
def test_they_can_be_read_at_one_sitting(file: str, most: int) -> None:
    assert 0 < levels.code_lines(file, first=True) <= most


@pytest.mark.parametrize("file", FILES)
def test_they_are_short_and_formatted(file: str) -> None:
    levels.written(file)


# --- compiled, and the same on both backends --------------------------------------------------


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_numpy_is_onnxruntime(case: Case) -> None:
    """The model and each of its entries, as written and optimised, at every size from one file."""
    levels.agrees(case)


@pytest.mark.parametrize("case", [marked(case) for case in SMALL], ids=str)
def test_what_is_built_passes_the_checker_and_loads(case: Case, tmp_path: Path) -> None:
    levels.builds(case, tmp_path)


@pytest.mark.parametrize("case", [marked(case) for case in SMALL], ids=str)
def test_first_step_is_the_same(case: Case) -> None:
    levels.steps_agree(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", FULL, ids=str)
def test_numpy_is_onnxruntime_at_full_size(case: Case) -> None:
    levels.agrees(case)
