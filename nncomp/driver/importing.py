"""Models from elsewhere: an ONNX file as a program."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from nncomp.backends.reference.interpreter import evaluate
from nncomp.errors import error
from nncomp.files import PathLike, is_onnx, read_source
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node
from nncomp.ir.op import Data
from nncomp.lower.program import Program
from nncomp.source import SourceFile
from nncomp.types import Array

if TYPE_CHECKING:
    from nncomp.onnx_import.importer import Imported
    from nncomp.onnx_import.reading import OnnxFile


def open_file(path: PathLike) -> SourceFile | OnnxFile:
    """A `.nn` file as text, an ONNX file as a model. Raises CompileError NN0001, NN0002, NN0801."""
    if not is_onnx(path):
        return read_source(path)
    from nncomp.onnx_import.reading import read_model

    return read_model(path)


def imported_program(
    file: OnnxFile,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    with_inputs: Collection[str] = (),
) -> Program:
    """The program that an ONNX file is: one graph, whose initialisers are its initial values.

    Raises CompileError; NN0306, NN0202 for what only a `.nn` file has.
    """
    from nncomp.onnx_import.importer import import_model

    imported = import_model(file, evaluate)
    if model is not None and model != imported.graph.name:
        raise error("NN0306", f"{file.name} has one model, `{imported.graph.name}`, no `{model}`")
    if settings:
        raise error("NN0202", f"{file.name} is an ONNX model: it has no hyperparameters")
    if with_inputs:
        raise error("NN0306", f"{file.name} is an ONNX model: it has no optional inputs")
    name = imported.graph.name
    initial = _initial(name, imported)
    return Program(
        name,
        imported.graph,
        {},
        {},
        initial,
        warnings=imported.warnings,
        metadata=imported.metadata,
    )


def _initial(name: str, imported: Imported) -> Graph:
    nodes = {path: _constant(array) for path, array in imported.weights.items()}
    outputs = {path: node.outputs[0] for path, node in nodes.items()}
    return Graph(f"{name}.initial", (), (), tuple(nodes.values()), outputs)


def _constant(array: Array) -> Node:
    op = Constant(Data(array))
    return Node(op, (), (op.infer(),))
