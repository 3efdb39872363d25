"""All that one version of a text tells: its tree, its errors, what its names stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from nncomp.errors import CompileError, Diagnostic
from nncomp.lower.program import Program, lower
from nncomp.lsp.facts import Recorder
from nncomp.lsp.texts import Texts
from nncomp.source import SourceFile
from nncomp.syntax import ast
from nncomp.syntax.parser import parse

_NO_MODEL = "NN0306"  # a file of blocks and fns alone has none, and is fine


@dataclass(frozen=True, eq=False)
class Analysis:
    """tree: None for a text that cannot be parsed
    diagnostics: errors and warnings
    programs: the models without errors, lowered
    """

    source: SourceFile
    texts: Texts
    tree: ast.File | None
    diagnostics: tuple[Diagnostic, ...] = ()
    recorder: Recorder = field(default_factory=Recorder)
    programs: tuple[Program, ...] = ()

    def with_more(self, diagnostics: tuple[Diagnostic, ...]) -> Analysis:
        """With further diagnostics."""
        return replace(self, diagnostics=(*self.diagnostics, *diagnostics))


def analyse(
    source: SourceFile, texts: Texts, outdated: Callable[[], bool] = lambda: False
) -> Analysis:
    """Lowers every model of the text with its default hyperparameters, without its optional inputs
    and with them. Raises Outdated when nobody waits for the answer any more."""
    try:
        tree = parse(source)
    except CompileError as failure:
        return Analysis(source, texts, None, failure.diagnostics)
    recorder = Recorder(outdated)
    found: dict[Diagnostic, None] = {}
    programs: list[Program] = []
    models: list[str] = [d.name.text for d in tree.declarations if isinstance(d, ast.ModelDecl)]
    for name in (*models,) or (None,):
        try:
            program = lower(source, name, watch=recorder, read=texts.read)
            found |= dict.fromkeys(program.warnings)
            programs.append(program)
            if program.optional:
                lower(source, name, wanted=program.optional, watch=recorder, read=texts.read)
        except CompileError as failure:
            new = failure.diagnostics
            if not models:
                new = tuple(d for d in new if d.code != _NO_MODEL)
            found |= dict.fromkeys(new)
    return Analysis(source, texts, tree, _each_once(found), recorder, tuple(programs))


def _each_once(found: dict[Diagnostic, None]) -> tuple[Diagnostic, ...]:
    """Two models that use one block both report what is wrong in it."""
    places: dict[object, Diagnostic] = {}
    for d in found:
        places.setdefault((d.code, d.span or d.message), d)
    return tuple(places.values())
