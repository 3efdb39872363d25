"""Whether a file compiles, as far as that can be known without running it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from nncomp.driver.programs import Settings, graphs, load_program
from nncomp.errors import CompileError, Diagnostic, Problems
from nncomp.lower.loading import Loaded
from nncomp.lower.program import Program, models
from nncomp.source import SourceFile

if TYPE_CHECKING:
    from nncomp.onnx_import.reading import OnnxFile


def check(
    source: SourceFile | OnnxFile,
    model: str | None = None,
    settings: Settings | None = None,
    with_inputs: Collection[str] = (),
) -> Iterator[str | Diagnostic]:
    """Compiles one model, or all of the file; warnings, and a line about each. A model with
    optional inputs is compiled without them and with all, unless `with_inputs` names some. Raises
    CompileError with the errors of all models."""
    names: list[str | None] = [model]
    file: Loaded | OnnxFile
    if isinstance(source, SourceFile):
        file = Loaded(source)
        if model is None:
            names = [*models(source)]
        if not names:
            _check_library(file)
            yield f"{source.name}: fine, declares no model"
    else:
        file = source
    problems = Problems()
    for name in names:
        try:
            program = load_program(file, name, settings, with_inputs=with_inputs)
            warnings = dict.fromkeys(program.warnings)
            require_onnx(program)
            if program.optional and not with_inputs:
                program = load_program(file, name, settings, with_inputs=program.optional)
                warnings.update(dict.fromkeys(program.warnings))
                require_onnx(program)
        except CompileError as failure:
            problems.add(failure)
            continue
        yield from warnings
        parts = [f"{_parameters(program):,} parameters"]
        parts += [f"with and without {name}" for name in program.optional if not with_inputs]
        parts += [] if program.graph.outputs else ["no output"]
        parts += [f"entry {entry}" for entry in program.entries]
        parts += [
            section if section == "train" else f"train {section}" for section in program.train
        ]
        yield f"{source.name}: {program.name} is fine ({', '.join(parts)})"
    if problems:
        raise problems.error()


def require_onnx(program: Program) -> None:
    """Compiles all graphs until they could be written. Raises CompileError NN0401, NN0601,
    NN0603."""
    from nncomp.autodiff.expand import expand_gradients
    from nncomp.driver.compiling import compiled_step, require_expressible
    from nncomp.passes.manager import optimize

    for graph in {id(g): g for g in (program.graph, *program.entries.values())}.values():
        if graph.outputs:
            require_expressible(optimize(expand_gradients(graph)).graph)
    for section in program.train.values():
        step = compiled_step(section)
        require_expressible(step.step)
        require_expressible(step.evaluation)


def _check_library(source: Loaded) -> None:
    """Checks what can be told of a file without a model."""
    try:
        load_program(source)
    except CompileError as failure:
        others = [d for d in failure.diagnostics if d.code != "NN0306"]  # that there is no model
        if others:
            raise CompileError(*others) from None


def _parameters(program: Program) -> int:
    """How many numbers are learnt, over all graphs."""
    types = {
        p.path: p.value.type
        for graph in graphs(program)
        for p in graph.parameters
        if p.kind == "param"
    }
    return sum(math.prod(type.static_shape) for type in types.values())
