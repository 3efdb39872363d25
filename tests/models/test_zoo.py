"""All of models/*.nn: names, lengths, and NumPy = onnxruntime for every model and entry."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from nncomp.dims import Dim, Symbol, substitute
from nncomp.ir.graph import Graph
from nncomp.lower.modules import read_source
from nncomp.lower.program import lower
from nncomp.syntax.formatter import format_source
from nncomp.syntax.lexer import scan
from nncomp.types import Array
from tests.models import support
from tests.models.agreement import compiled, drawn
from tests.models.zoo import FILES, FULL, INTERFACES, SMALL, Interface, Row, declared


def test_no_model_is_forgotten() -> None:
    models = {(file, d.name.text) for file in FILES for d in declared(file)}
    for rows in (SMALL, FULL):
        firsts = {(row.file, row.model or declared(row.file)[0].name.text) for row in rows}
        assert firsts == models
    assert sorted(INTERFACES) == FILES


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


def code_lines(file: str) -> int:
    """Lines that hold code of the file's first model: no blank ones, comments or texts in `\"""`;
    without the file's other models, with all the blocks and fns of the file."""
    source = read_source(support.MODELS / file)
    tokens = scan(source)
    others = [d.span for d in declared(file)[1:]]
    lines: set[int] = set()
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind in ("DOC", "NL") or start == end:
            continue
        if not any(span.start <= start < span.end for span in others):
            lines.add(source.text.count("\n", 0, start))
    return len(lines)


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
    assert 0 < code_lines(file) <= most
    text = (support.MODELS / file).read_text("utf-8")
    assert format_source(read_source(support.MODELS / file)) == text


# --- NumPy = onnxruntime ---------------------------------------------------------------------


def batches(graph: Graph, row: Row) -> Iterator[dict[str, Array]]:
    """Inputs for each combination of sizes of the first two open dims; further ones go round."""
    found = [s for v in graph.inputs for d in v.shape if isinstance(d, Dim) for s in d.symbols()]
    symbols: list[Symbol] = sorted(set(found), key=found.index)
    rng = np.random.default_rng(0)
    for chosen in itertools.product(row.sizes, repeat=min(len(symbols), 2)):
        spare = itertools.cycle(reversed(row.sizes))
        sizes = dict(zip(symbols, itertools.chain(chosen, spare), strict=False))
        inputs: dict[str, Array] = {}
        for value in graph.inputs:
            if value.name in graph.defaults:
                continue
            shape = [substitute(d, sizes) for d in value.shape]
            dims = tuple(d for d in shape if isinstance(d, int))
            if value.name in row.special:
                inputs[value.name] = row.special[value.name](dims)
            elif value.type.dtype.is_float:
                inputs[value.name] = rng.standard_normal(dims).astype(value.type.dtype.numpy)
            elif value.type.dtype.is_int:
                inputs[value.name] = rng.integers(0, row.symbols, dims)
            else:
                inputs[value.name] = rng.integers(0, 3, dims) > 0
                inputs[value.name][..., 0] = True  # there is something to look at
        yield inputs


def agree(row: Row) -> None:
    program = support.load(row.file, row.model, **row.settings)
    values: dict[str, Array] = support.weights(program) if row.initial else {}
    for graph in {program.graph.name: program.graph, **program.entries}.values():
        values = drawn(graph) | values
    for graph in {program.graph.name: program.graph, **program.entries}.values():
        model = compiled(graph, values)
        for inputs in batches(graph, row):
            model(inputs)


@pytest.mark.parametrize("row", SMALL, ids=str)
def test_numpy_is_onnxruntime(row: Row) -> None:
    """The model and each of its entries, as written and optimised, at every size from one file."""
    agree(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", FULL, ids=str)
def test_numpy_is_onnxruntime_at_full_size(row: Row) -> None:
    agree(row)
