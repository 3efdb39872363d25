"""From a file to a program: a model's graphs as they are written, before any pass."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from nncomp.driver.importing import imported_program, open_file
from nncomp.errors import did_you_mean, error
from nncomp.files import PathLike
from nncomp.ir.graph import Graph
from nncomp.lower.loading import Loaded
from nncomp.lower.objective import Objective
from nncomp.lower.program import Program, lower
from nncomp.source import SourceFile

if TYPE_CHECKING:
    from nncomp.onnx_import.reading import OnnxFile

Settings = Mapping[str, Any]
KINDS = ("entry", "train")  # of sections


def load_program(
    file: PathLike | SourceFile | Loaded | OnnxFile,
    model: str | None = None,
    settings: Settings | None = None,
    kinds: Collection[str] = KINDS,
    with_inputs: Collection[str] = (),
    given: Collection[str] = (),
    objective: Objective | None = None,
) -> Program:
    """Lowers a model (the first of the file if no name is given) with its sections of these kinds.
    An ONNX file is imported.

    with_inputs: optional inputs that the graphs have
    given: names of all inputs of the runs to come; the optional ones among them are had, too
    objective: what an ONNX model is to learn; a `.nn` file says it itself
    Raises CompileError; NN0306 if one of `with_inputs` is no optional input;
    NN0408 if the objective is not clear.
    """
    source = open_file(file) if isinstance(file, str | os.PathLike) else file
    if not isinstance(source, SourceFile | Loaded):
        return imported_program(source, model, settings, with_inputs, objective)
    if objective is not None:
        raise error(
            "NN0408",
            f"{source.name} is no ONNX model: what it learns stands in its `train` section",
            help="write there what `--loss`, `--metric` and `--optimizer` say",
        )
    program = lower(source, model, settings or {}, kinds, (*with_inputs, *given))
    for name in with_inputs:
        if name not in program.optional:
            known = ", ".join(f"`{other}`" for other in program.optional) or "none"
            raise error(
                "NN0306",
                f"{program.name} has no optional input `{name}`; it has {known}",
                help=did_you_mean(name, program.optional),
            )
    return program


def graphs(program: Program) -> list[Graph]:
    """All graphs of a program that have its parameters."""
    steps = [g for section in program.train.values() for g in (section.step, section.evaluation)]
    return [program.graph, *program.entries.values(), *steps]
