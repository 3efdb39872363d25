"""`nncomp import`: an ONNX model as a `.nn` file, its weights beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncomp.backends.reference.interpreter import evaluate
from nncomp.decompile.source import Origin, Source, decompile
from nncomp.driver.constant_inputs import constant_inputs
from nncomp.errors import Diagnostic, error
from nncomp.files import PathLike, write_atomic
from nncomp.lower.program import lower
from nncomp.weights import save_weights

if TYPE_CHECKING:
    from nncomp.onnx_import.importer import Imported
    from nncomp.onnx_import.reading import OnnxFile


@dataclass(frozen=True)
class ImportResult:
    """What was written. weights: None for a model without any; warnings: of importing it"""

    path: Path
    lines: int
    blocks: int
    weights: Path | None
    bytes: int
    warnings: tuple[Diagnostic, ...]


def import_file(
    file: OnnxFile,
    path: PathLike,
    settings: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> ImportResult:
    """Writes the model as `path`, and its weights beside it under the same name, `.safetensors`.

    settings: values of inputs, which are constants then
    Raises CompileError for what cannot be imported, or what the language cannot say; NN0001 for
    files that are there already, unless they may be overwritten.
    """
    from nncomp.onnx_import.importer import import_model

    imported = import_model(file, evaluate, constant_inputs(file, settings or {}))
    source = source_of(imported, file)
    target = Path(path)
    beside = target.with_suffix(".safetensors")
    if not overwrite:
        _require_new(target, *([beside] if source.weights else []))
    if source.weights:
        save_weights(beside, source.weights)
    write_atomic(target, source.text.encode())
    return ImportResult(
        target,
        source.text.count("\n"),
        source.blocks,
        beside if source.weights else None,
        sum(array.nbytes for array in source.weights.values()),
        imported.warnings,
    )


def _require_new(*files: Path) -> None:
    """What else is compiled can be compiled again; a text may have been changed by hand since, and
    weights may have been trained."""
    for file in files:
        if file.is_file():
            raise error(
                "NN0001",
                f"cannot write {os.fspath(file)!r}: there is such a file already",
                help="name another .nn file with -o, or write over what is there with --force",
            )


def source_of(imported: Imported, file: OnnxFile) -> Source:
    """The model as text and weights. CompileError for what the language cannot say."""
    proto = file.proto
    producer = " ".join(filter(None, (proto.producer_name, proto.producer_version)))
    note = f"written by {producer}" if producer else ""
    origin = Origin(Path(file.name).name, note, imported.modules)
    return decompile(imported.graph, imported.weights, origin, lambda text: lower(text).graph)
