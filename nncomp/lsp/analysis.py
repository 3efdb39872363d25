"""All that one version of a text tells: its tree, its errors, what its names stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from nncomp.driver.programs import KINDS
from nncomp.errors import CompileError, Diagnostic
from nncomp.lower.loading import Loaded
from nncomp.lower.program import lower
from nncomp.lower.remembering import Memory
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
    whole: whether sections and optional inputs were looked at, if there are any
    """

    source: SourceFile
    texts: Texts
    tree: ast.File | None
    diagnostics: tuple[Diagnostic, ...] = ()
    recorder: Recorder = field(default_factory=Recorder)
    whole: bool = True

    @property
    def has_errors(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)

    def with_more(self, diagnostics: tuple[Diagnostic, ...]) -> Analysis:
        """With further diagnostics."""
        return replace(self, diagnostics=(*self.diagnostics, *diagnostics))


def analyse(
    source: SourceFile,
    texts: Texts,
    outdated: Callable[[], bool] = lambda: False,
    *,
    whole: bool = True,
    memory: Memory | None = None,
) -> Analysis:
    """Lowers every model of the text with its default hyperparameters; as a whole, with its
    sections, without its optional inputs and with them. Raises Outdated when nobody waits for the
    answer any more.

    memory: of other texts, for a faster answer
    """
    try:
        tree = parse(source)
    except CompileError as failure:
        return Analysis(source, texts, None, failure.diagnostics)
    recorder = Recorder(outdated)
    try:
        loaded = Loaded(source, recorder, texts.read)
    except CompileError as failure:
        return Analysis(source, texts, tree, failure.diagnostics, recorder)
    found: dict[Diagnostic, None] = {}
    models = [d for d in tree.declarations if isinstance(d, ast.ModelDecl)]
    has_more = any(isinstance(s, ast.Section) for d in models for s in d.body)
    kinds = KINDS if whole else ()
    names = [d.name.text for d in models]
    for name in (*names,) or (None,):
        try:
            program = lower(loaded, name, kinds=kinds, memory=memory)
            found |= dict.fromkeys(program.warnings)
            if program.optional:
                has_more = True
            if program.optional and whole:
                lower(loaded, name, kinds=kinds, wanted=program.optional, memory=memory)
        except CompileError as failure:
            found |= dict.fromkeys(d for d in failure.diagnostics if models or d.code != _NO_MODEL)
    complete = whole or not has_more
    return Analysis(source, texts, tree, _each_once(found), recorder, complete)


def _each_once(found: dict[Diagnostic, None]) -> tuple[Diagnostic, ...]:
    """Two models that use one block both report what is wrong in it."""
    places: dict[object, Diagnostic] = {}
    for d in found:
        places.setdefault((d.code, d.span or d.message), d)
    return tuple(places.values())
