"""Two models beside each other: `.nn` files, ONNX files, or one of each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.compiling import entry_of, onnx_model, optimized, state_of
from nncomp.driver.constant_inputs import constant_inputs
from nncomp.driver.importing import open_file
from nncomp.driver.model import Model
from nncomp.driver.programs import load_program
from nncomp.errors import error
from nncomp.files import PathLike
from nncomp.inspect.diff import models
from nncomp.inspect.diff.result import Diff
from nncomp.inspect.diff.tensors import Tolerance
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.onnx_import.external import Folder
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import OnnxFile
from nncomp.source import SourceFile
from nncomp.types import Array


@dataclass(frozen=True)
class Given:
    """One of the two models.

    file: for messages; state: values for its parameters, by path
    imported: whether it comes from an ONNX file
    """

    file: str
    graph: Graph
    state: Mapping[str, Array]
    imported: bool


def diff(
    a: PathLike | Model,
    b: PathLike | Model,
    *,
    level: int = 0,
    weights: bool = True,
    atol: float = 0.0,
    rtol: float = 0.0,
) -> Diff:
    """What differs between two models: structure, shapes, attributes, weights.

    a, b: files, or what `nncomp.load` has made of them, with hyperparameters and weights
    level: of optimisation, 0 to 3; at 0 the models are compared as they are written
    weights: whether their numbers are compared
    atol, rtol: numbers are the same if |a - b| <= atol + rtol * |b|, as in NumPy

    A `.nn` file beside an ONNX file is compiled first, so that a model is equal to what
    `build -O0` has made of it. Raises CompileError.
    """
    tolerance = Tolerance(atol, rtol) if weights else None
    return compare(_given(a), _given(b), level=level, tolerance=tolerance)


def compare(a: Given, b: Given, *, level: int = 0, tolerance: Tolerance | None = None) -> Diff:
    """See `diff`. tolerance: without, weights are not compared. Raises CompileError."""
    if tolerance is not None:
        for what, number in (("atol", tolerance.atol), ("rtol", tolerance.rtol)):
            if not 0 <= number < float("inf"):
                raise error("NN0208", f"`{what}` is a number from 0 on, not {number:g}")
    mixed = a.imported is not b.imported
    return models.compare(_prepared(a, level, mixed), _prepared(b, level, mixed), tolerance)


def from_file(file: OnnxFile, settings: Mapping[str, Any] | None = None) -> Given:
    """An ONNX model, whose weights are read one by one when they are compared.

    settings: values of inputs, which are constants then
    """
    known = constant_inputs(file, settings or {})
    imported = import_model(file, evaluate, known, stream=True)
    return Given(file.name, imported.graph, imported.weights, True)


def from_program(
    file: str, program: Program, state: Mapping[str, Array], entry: str | None = None
) -> Given:
    """The inference graph of a program, or one of its entries."""
    return Given(file, entry_of(program, entry), state, False)


def _given(side: PathLike | Model) -> Given:
    if isinstance(side, Model):
        imported = not isinstance(side.source, SourceFile)
        return Given(side.source.name, entry_of(side.program, None), side.state, imported)
    file = open_file(side)
    if not isinstance(file, SourceFile):
        return from_file(file)
    program = load_program(file, kinds=("entry",))
    return from_program(os.fspath(side), program, state_of(program, None))


def _prepared(side: Given, level: int, mixed: bool) -> models.Model:
    """As it is compared: optimised if that is asked for, and as ONNX if the other one is."""
    if level == 0 and (side.imported or not mixed):
        return models.Model(side.file, side.graph, side.state)
    graph = optimized(side.graph, side.state, level).graph
    if not mixed:
        return models.Model(side.file, graph, side.state)
    file = OnnxFile(side.file, onnx_model(graph), Folder(None))
    written = import_model(file, evaluate, stream=True)
    return models.Model(side.file, written.graph, written.weights)
