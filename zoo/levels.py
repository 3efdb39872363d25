"""Levels 1 to 3 of a case: written, compiled, the same on both backends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import nncomp
from nncomp.autodiff.expand import expand_gradients
from nncomp.dims import Dim, Symbol, substitute
from nncomp.driver.compiling import data_inputs
from nncomp.ir.graph import Graph, Value
from nncomp.lower.modules import read_source
from nncomp.syntax import ast
from nncomp.syntax.formatter import format_source
from nncomp.syntax.lexer import scan
from nncomp.syntax.parser import parse
from nncomp.training.ranges import Range, ranges
from nncomp.types import Array
from tests.models import support
from tests.models.agreement import compiled, drawn
from zoo.row import MODELS, Case

MOST_LINES = 80
STEP_TOLERANCE = 1e-4  # of a loss: a ReLU that rounding switches shows in it


# --- level 1 ---------------------------------------------------------------------------------


def declared(file: str) -> list[ast.ModelDecl]:
    """The models of a file in order; the first is what a command takes without `--model`."""
    tree = parse(read_source(MODELS / file))
    return [d for d in tree.declarations if isinstance(d, ast.ModelDecl)]


def code_lines(file: str, first: bool = False) -> int:
    """Lines that hold code: no blank ones, comments or texts in `\"""`.

    first: of the first model only, with all the blocks and fns of the file
    """
    source = read_source(MODELS / file)
    tokens = scan(source)
    others = [d.span for d in declared(file)[1:]] if first else []
    lines: set[int] = set()
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if kind in ("DOC", "NL") or start == end:
            continue
        if not any(span.start <= start < span.end for span in others):
            lines.add(source.text.count("\n", 0, start))
    return len(lines)


def written(file: str) -> None:
    """The file is short, and formatted. Raises AssertionError."""
    count = code_lines(file)
    assert count <= MOST_LINES, f"{file} has {count} lines of code"
    text = (MODELS / file).read_text("utf-8")
    assert format_source(read_source(MODELS / file)) == text, f"{file} is not formatted"


# --- level 2 ---------------------------------------------------------------------------------


def builds(case: Case, folder: Path) -> None:
    """What `nncomp build` writes of the model, its entries and its training step passes ONNX's
    checker, and stock onnxruntime loads it. Raises AssertionError, or what the checker raises."""
    model = nncomp.load(MODELS / case.file, case.model, **case.settings)
    program, path = model.program, folder / "model.onnx"
    if program.graph.outputs:
        model.build(path, train=bool(program.train))
    elif program.train:
        model.build(path, entry=next(iter(program.entries), None), train=True)
    for entry in program.entries:
        model.build(folder / f"{entry}.onnx", entry=entry)
    files = sorted(folder.glob("*.onnx"))
    assert files, f"{case} builds nothing"
    for file in files:
        onnx.checker.check_model(str(file), full_check=True)
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


# --- level 3 ---------------------------------------------------------------------------------


def agrees(case: Case) -> None:
    """The model and each of its entries give the same on NumPy and in onnxruntime, as written and
    optimised, at every size from one file. Raises AssertionError."""
    program = support.load(case.file, case.model, **case.settings)
    values: dict[str, Array] = support.weights(program) if case.initial else {}
    graphs = {"": program.graph, **program.entries}
    graphs = {name: expand_gradients(graph) for name, graph in graphs.items() if graph.outputs}
    for graph in graphs.values():
        values = drawn(graph) | values
    for graph in graphs.values():
        model = compiled(graph, values)
        for inputs in batches(graph, case):
            model(inputs | support.scalars(graph))


def batches(graph: Graph, case: Case) -> Iterator[dict[str, Array]]:
    """Inputs for each combination of sizes of the first two open dims; further ones go round."""
    rng = np.random.default_rng(0)
    for sizes in _sizes(graph, case):
        yield {v.name: _numbers(v, sizes, case, rng) for v in _given(graph)}


def _given(graph: Graph) -> list[Value]:
    return [v for v in graph.inputs if v.name not in graph.defaults]


def _sizes(graph: Graph, case: Case) -> Iterator[dict[Symbol, int]]:
    found = [s for v in graph.inputs for d in v.shape if isinstance(d, Dim) for s in d.symbols()]
    symbols: list[Symbol] = sorted(set(found), key=found.index)
    for chosen in itertools.product(case.sizes, repeat=min(len(symbols), 2)):
        spare = itertools.cycle(reversed(case.sizes))
        yield dict(zip(symbols, itertools.chain(chosen, spare), strict=False))


def _numbers(
    value: Value,
    sizes: dict[Symbol, int],
    case: Case,
    rng: np.random.Generator,
    limit: Range | None = None,
) -> Array:
    shape = [substitute(d, sizes) for d in value.shape]
    dims = tuple(d for d in shape if isinstance(d, int))
    if value.name in case.special:
        return case.special[value.name](dims)
    if value.type.dtype.is_float:
        return rng.standard_normal(dims).astype(value.type.dtype.numpy)
    if value.type.dtype.is_int:
        return rng.integers(0, case.symbols if limit is None else limit.high, dims)
    truth = rng.integers(0, 3, dims) > 0
    truth[..., 0] = True  # there is something to look at
    return truth


def steps_agree(case: Case) -> None:
    """Each train section takes its first step alike on NumPy and in onnxruntime. Raises
    AssertionError."""
    for section, graphs in support.load(case.file, case.model, **case.settings).train.items():
        limits = ranges(graphs.step)
        rng = np.random.default_rng(0)
        sizes = list(_sizes(graphs.step, case))[-1]
        batch = {
            name: _numbers(value, sizes, case, rng, limits.get(name))
            for name in data_inputs(graphs.step)
            for value in graphs.step.inputs
            if value.name == name
        }
        found = []
        for backend in ("numpy", "onnx"):
            model = nncomp.load(MODELS / case.file, case.model, **case.settings)
            found.append(model.training_step(section, backend=backend)(**batch))
        ours, theirs = found
        for name, value in ours.items():
            assert np.isfinite(value), f"{name} of {case}, {section}, is {value}"
            apart = abs(value - theirs[name])
            assert apart <= STEP_TOLERANCE * max(1, abs(value)), f"{name} differs by {apart}"
