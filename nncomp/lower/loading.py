"""A file with what it imports, loaded once for all of its models."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nncomp.errors import CompileError, did_you_mean, error
from nncomp.ir.graph import Value
from nncomp.lower.context import Context, Frame, Module
from nncomp.lower.expressions import evaluate
from nncomp.lower.modules import Loader, Read, StandardPrelude, read_source
from nncomp.lower.statements import execute
from nncomp.lower.store import Store
from nncomp.lower.unused import check_unused
from nncomp.lower.values import Instance, describe
from nncomp.lower.watching import Watch
from nncomp.source import SourceFile
from nncomp.syntax import ast

_RECURSION = 20_000  # Python frames: nesting and calls are limited to 64 each before


@contextmanager
def deep_recursion() -> Iterator[None]:
    """What evaluates a program may recurse as deep as programs are nested."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class Loaded:
    """A source, parsed, its imports resolved and its constants evaluated. Raises CompileError if
    it cannot be read on; what else is wrong is said by each of its models.

    watch: is told what names and expressions of constants stand for
    read: gives the texts of the files that are imported
    store: of what was found
    """

    def __init__(
        self, source: SourceFile, watch: Watch | None = None, read: Read = read_source
    ) -> None:
        self.source = source
        self.prelude = StandardPrelude()
        self.store = Store(watch=watch)
        try:
            with deep_recursion():
                loader = Loader(self._constant, self.store.report, read)
                self.module, tree = loader.load(source)
        except CompileError as failure:
            self.store.report(failure)
            raise self.store.problems.error() from None
        self._models = models_in(tree)
        self._others = [d for d in tree.declarations if not isinstance(d, ast.ModelDecl)]

    @property
    def name(self) -> str:
        """Of the file."""
        return self.source.name

    def model(self, name: str | None) -> ast.ModelDecl:
        """The model of that name, or the first. Raises CompileError NN0306."""
        return choose(self.source, self._models, name)

    def check_unused(self, store: Store) -> None:
        """Reports what is wrong in the fns and blocks that no graph of a program has used."""
        unused = [d for d in self._others if d not in store.lowered]
        check_unused(self.module, unused, self.prelude, store.report)

    def _constant(self, module: Module, declaration: ast.ConstDecl) -> Any:
        """The value of a file's constant. It belongs to no graph, so it holds no tensor."""
        ctx = Context(self.store, self.prelude, evaluate=evaluate, execute=execute)
        ctx.frames.append(Frame(declaration, module, {}))
        value = evaluate(ctx, declaration.value)
        pending, seen = [value], set[int]()
        while pending:
            item = pending.pop()
            if id(item) in seen:
                continue
            seen.add(id(item))
            if isinstance(item, (Value, Instance)):
                name = declaration.name.text
                raise error(
                    "NN0212",
                    f"the constant `{name}` of a file holds {describe(item)}",
                    declaration.value.span,
                    help=f"make it a fn: `fn {name}() = …`"
                    if isinstance(item, Value)
                    else "make the instance in the model that uses it",
                )
            if isinstance(item, (list, tuple)):
                pending += item
        return value


def models_in(tree: ast.File) -> dict[str, ast.ModelDecl]:
    """The models of a file by name, in order; of two of a name, an error, the first."""
    found: dict[str, ast.ModelDecl] = {}
    for declaration in tree.declarations:
        if isinstance(declaration, ast.ModelDecl):
            found.setdefault(declaration.name.text, declaration)
    return found


def choose(
    source: SourceFile, models: Mapping[str, ast.ModelDecl], name: str | None
) -> ast.ModelDecl:
    """The model of that name, or the first. Raises CompileError NN0306."""
    if not models:
        raise error("NN0306", f"{source.name} declares no model", help="add `model Name { … }`")
    if name is None:
        return next(iter(models.values()))
    if name in models:
        return models[name]
    raise error(
        "NN0306",
        f"{source.name} has no model `{name}`",
        help=did_you_mean(name, models) or f"it has {', '.join(models)}",
    )
