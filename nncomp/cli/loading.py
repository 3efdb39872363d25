"""What the arguments name: models, their weights, arrays; and where the outputs go.

The compiler is imported where it is needed: a file that cannot be read or parsed is refused sooner.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nncomp.ir.graph import Graph
    from nncomp.lower.objective import Objective
    from nncomp.lower.program import Program
    from nncomp.onnx_import.reading import OnnxFile
    from nncomp.source import SourceFile
    from nncomp.types import Array


def source_of(name: str) -> SourceFile:
    """The text of FILE, which can be parsed: what cannot is refused before the compiler is
    loaded. Raises CompileError NN0001, NN0002, or what `parse` finds."""
    from nncomp.files import MAX_SOURCE, read_source

    if name == "-":
        return _parsed_text(sys.stdin.buffer.read(MAX_SOURCE + 1))
    return _parsed(read_source(name))


def file_of(name: str) -> SourceFile | OnnxFile:
    """FILE, which is `.nn` text (see `source_of`) or an ONNX model. Raises CompileError."""
    from nncomp.files import MAX_SOURCE, is_onnx, starts_onnx

    if name == "-":
        data = sys.stdin.buffer.read(MAX_SOURCE + 1)
        if not starts_onnx(data):
            return _parsed_text(data)
        from nncomp.onnx_import.reading import parse_model

        return parse_model(data + sys.stdin.buffer.read(), "<stdin>")
    if not is_onnx(name):
        return source_of(name)
    from nncomp.onnx_import.reading import read_model

    return read_model(name)


def _parsed_text(data: bytes) -> SourceFile:
    from nncomp.files import decode_source

    return _parsed(decode_source("<stdin>", data))


def _parsed(source: SourceFile) -> SourceFile:
    from nncomp.syntax.parser import parse

    parse(source)
    return source


def program_of(
    args: argparse.Namespace,
    kinds: Collection[str] = ("entry", "train"),
    given: Collection[str] = (),
    objective: Objective | None = None,
) -> Program:
    """The model that the arguments name, lowered, with its sections of these kinds, and with the
    optional inputs among those `given`; an ONNX model with its objective. Raises CompileError."""
    source, settings = file_of(args.file), dict(args.settings)
    from nncomp.driver.programs import load_program

    return load_program(source, args.model, settings, kinds, args.with_inputs, given, objective)


def state_of(args: argparse.Namespace, program: Program, *, training: bool) -> dict[str, Array]:
    """The values of its parameters, and of its optimisers for training. Raises CompileError."""
    from nncomp.driver.compiling import state_of as state
    from nncomp.errors import error
    from nncomp.renaming import rules_of

    rules: dict[str, str] = {}
    for text in args.rename:
        pattern, equals, replacement = text.rpartition("=")
        rules |= {pattern: replacement} if equals else rules_of(text)
    if rules and args.weights is None:
        raise error("NN0502", "--rename is for --weights, which is not given")
    return state(program, args.weights, args.seed, training=training, rename=rules or None)


def inputs_of(args: argparse.Namespace, graph: Graph) -> dict[str, Any]:
    """The arrays of --input by name, a list of them for an input that is a sequence. Raises
    CompileError NN0001, NN0502, NN0503."""
    from nncomp.types import SequenceType
    from nncomp.weights import load_array, load_sequence

    sequences = {v.name for v in graph.inputs if isinstance(v.type, SequenceType)}
    return {
        name: load_sequence(path) if name in sequences else load_array(path)
        for name, path in args.inputs
    }


def output_of(args: argparse.Namespace, default: str) -> str:
    """Where a model is to be written: -o, else `default`. Raises CompileError NN0001 if
    that is the model that it is made from."""
    from nncomp.errors import error

    path: str = args.output or default
    if args.file != "-" and Path(path).exists() and Path(path).samefile(args.file):
        raise error(
            "NN0001",
            f"cannot write {path!r}: it is the model that this is made from",
            help="name another file with -o",
        )
    return path


def stem_of(args: argparse.Namespace, program: Program) -> str:
    """What to call outputs: as the source file, or as the model."""
    return program.name.lower() if args.file == "-" else Path(args.file).stem
