"""Models from elsewhere: an ONNX file as a program."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncomp.driver.constant_inputs import constant_inputs
from nncomp.errors import error
from nncomp.files import PathLike, is_onnx, read_source
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node
from nncomp.ir.naming import matches
from nncomp.ir.op import Data
from nncomp.lower.base import Base
from nncomp.lower.objective import Objective, section_for
from nncomp.lower.program import Original, Program, lower
from nncomp.source import SourceFile
from nncomp.training.variants import nothing_of
from nncomp.types import Array

if TYPE_CHECKING:
    import onnx

    from nncomp.onnx_import.importer import Imported
    from nncomp.onnx_import.reading import OnnxFile
    from nncomp.onnx_import.tying import Copy


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
    objective: Objective | None = None,
) -> Program:
    """The program that an ONNX file is: one graph, whose initialisers are its initial values.

    settings: values of inputs, which are constants then
    objective: what it is to learn, for a train section
    Raises CompileError; NN0306 for what only a `.nn` file has.
    """
    from nncomp.backends.reference.interpreter import evaluate
    from nncomp.onnx_import.importer import import_model
    from nncomp.onnx_import.tying import tied

    trainable = objective.trainable if objective is not None else ()
    copies: dict[str, Copy] = {}
    known = constant_inputs(file, settings or {})
    imported = import_model(file, evaluate, known, trainable)
    if objective is not None:
        imported, copies = tied(imported)
    require_plain(file, imported.graph.name, model, with_inputs)
    program = _program(imported)
    if objective is not None:
        _require_learnt(imported.graph, trainable)
        program = _with_section(program, imported, objective, file.name)
    listing = imported.listing
    rewritten = partial(_rewritten, file, copies)
    stem = Path(file.name).stem
    original = Original(stem, rewritten, listing.find, listing.traced, file.external_data)
    return replace(
        program, warnings=imported.warnings, metadata=imported.metadata, original=original
    )


def require_plain(
    file: OnnxFile,
    name: str,
    model: str | None,
    with_inputs: Collection[str],
) -> None:
    """That nothing is asked of an ONNX model of that name that only a `.nn` file has. Raises
    CompileError NN0306."""
    if model is not None and model != name:
        raise error("NN0306", f"{file.name} has one model, `{name}`, no `{model}`")
    if with_inputs:
        raise error("NN0306", f"{file.name} is an ONNX model: it has no optional inputs")


def _program(imported: Imported) -> Program:
    name = imported.graph.name
    return Program(name, imported.graph, {}, {}, _initial(name, imported))


def _with_section(program: Program, imported: Imported, objective: Objective, name: str) -> Program:
    """The program with a train section, lowered from text."""
    section = section_for(imported.graph, objective)
    base = Base(imported.graph, imported.weights, section.names)
    lowered = lower(SourceFile(f"{name} (train section)", section.text), base=base)
    return replace(program, train=lowered.train, initial=lowered.initial)


def _require_learnt(graph: Graph, trainable: Sequence[str]) -> None:
    """Raises CompileError NN0403 if a pattern names nothing."""
    learnt = [p.path for p in graph.parameters if p.kind == "param"]
    for pattern in trainable:
        if not any(matches(pattern, path) for path in learnt):
            raise nothing_of("learn", pattern, [p.path for p in graph.parameters])


def _rewritten(
    file: OnnxFile, copies: Mapping[str, Copy], weights: Mapping[str, Array]
) -> onnx.ModelProto:
    from nncomp.onnx_import.rewriting import with_weights
    from nncomp.onnx_import.tying import with_copies

    return with_weights(file, with_copies(weights, copies))


def _initial(name: str, imported: Imported) -> Graph:
    nodes = {path: _constant(array) for path, array in imported.weights.items()}
    outputs = {path: node.outputs[0] for path, node in nodes.items()}
    return Graph(f"{name}.initial", (), (), tuple(nodes.values()), outputs)


def _constant(array: Array) -> Node:
    op = Constant(Data(array))
    return Node(op, (), (op.infer(),))
