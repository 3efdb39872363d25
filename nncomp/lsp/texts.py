"""The texts of files: of those that are open in the editor what stands there, saved or not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from nncomp.errors import CompileError
from nncomp.lower.modules import read_source, std_index
from nncomp.source import SourceFile, Span
from nncomp.syntax import ast
from nncomp.syntax.parser import parse


class Texts:
    """Sources by path.

    unsaved: the texts of open files, by absolute path
    """

    def __init__(self, unsaved: Mapping[str, str] | None = None) -> None:
        self._unsaved = unsaved or {}
        self._read: dict[str, SourceFile] = {}

    def read(self, path: Path, span: Span | None = None) -> SourceFile:
        """The text of a file that is imported at `span`. Raises CompileError NN0001, NN0002."""
        name = str(path)
        if name not in self._read:
            text = self._unsaved.get(str(path.absolute()))
            source = read_source(path, span) if text is None else SourceFile(name, text)
            self._read[name] = source
        return self._read[name]

    def tree(self, path: Path) -> ast.File | None:
        """The tree of a file, None if there is none or it cannot be parsed."""
        try:
            return parse(self.read(path))
        except CompileError:
            return None


@cache
def std_path(file: str) -> Path:
    """Where a file of the standard library lies."""
    return Path(str(resources.files("nncomp.std").joinpath(f"{file}.nn")))


@cache
def std_tree(file: str) -> ast.File:
    """The tree of a file of the standard library, whose source has the path as its name."""
    return parse(SourceFile(str(std_path(file)), std_path(file).read_text("utf-8")))


def std_declaration(name: str) -> ast.Decl | None:
    """The declaration of a name of the standard library."""
    file = std_index().get(name)
    if file is None:
        return None
    return next(d for d in std_tree(file).declarations if d.name.text == name)
