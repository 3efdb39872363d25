"""The place of a syntax error: the token that does not fit, what is around it, in words."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from nncomp.records import record
from nncomp.source import Span
from nncomp.syntax.lexer import BINARY, CLOSERS, OPENERS, STARTS_OPERAND, Tokens
from nncomp.syntax.tables import load_tables

ENDS = ("NL", "$END", "RBRACE")  # what may stand behind a statement


@record
class Place:
    """The token that does not fit, and what surrounds it."""

    tokens: Tokens
    index: int
    expected: Collection[str]

    def kind(self, step: int = 0) -> str:
        at = self.index + step
        return self.tokens.kinds[at] if 0 <= at < len(self.tokens.kinds) else "$END"

    def text(self, step: int = 0) -> str:
        at = self.index + step
        return self.tokens.text(at) if 0 <= at < len(self.tokens.kinds) else ""

    @cached_property
    def span(self) -> Span:
        span = self.tokens.span(self.index)
        if self.closes_late:
            end = self.tokens.ends[self.index - 1]
            return Span(span.source, end, end + 1)
        return span

    @cached_property
    def closes_late(self) -> bool:
        """A `}` on a later line, where the line before it lacks something."""
        between = (self.tokens.ends[self.index - 1], self.tokens.starts[self.index])
        return self.kind() == "RBRACE" and "\n" in self.tokens.source.text[slice(*between)]

    def touches(self, step: int) -> bool:
        """Is there no blank between the token at `step` and the one after it?"""
        at = self.index + step
        if not 0 <= at < len(self.tokens.kinds) - 1:
            return False
        return self.tokens.ends[at] == self.tokens.starts[at + 1]

    @cached_property
    def _walk(self) -> tuple[int, int | None]:
        openers = {close: open_ for open_, close in self.tokens.pairs.items()}
        kinds = self.tokens.kinds
        at, inside = self.index, None
        while at > 0 and kinds[at - 1] not in ("NL", "LBRACE"):
            at -= 1
            if kinds[at] in CLOSERS:
                at = openers[at]
            elif kinds[at] in OPENERS and inside is None:
                inside = at
        return at, inside

    @property
    def first(self) -> int:
        """The first token of the statement."""
        return self._walk[0]

    @property
    def bracket(self) -> int | None:
        """The `(` or `[` that is open around this token."""
        return self._walk[1]

    @property
    def statement(self) -> Span:
        """From the first token of the statement to the end of its line."""
        at = self.index
        while self.tokens.kinds[at] not in ENDS:
            at = self.tokens.pairs.get(at, at) + 1
        return self.tokens.span(self.first).to(self.tokens.span(max(at - 1, self.first)))

    @property
    def starts_line(self) -> bool:
        span = self.span
        before = span.source.text.rfind("\n", 0, span.start)
        return not span.source.text[before + 1 : span.start].strip()

    @property
    def found(self) -> str:
        kind = self.kind()
        if kind == "NL" or self.closes_late:
            return "the end of the line"
        if kind == "$END":
            inside = self.tokens.ends[-1] < len(self.tokens.source.text.rstrip())
            return "the end of the expression" if inside else "the end of the file"
        if kind == "DOC":
            return 'a """…""" text'
        if kind == "STRING":
            return "a string"
        return f"`{self.text()}`"

    def quoted(self, step: int) -> str:
        return "a string" if self.kind(step) == "STRING" else f"`{self.text(step)}`"


def describe(expected: Collection[str]) -> str:
    """The terminals in words; what every value may be followed by is left out."""
    left = set(expected)
    words: list[str] = []
    if "INPUT" in left or "MODEL" in left:
        return "a statement" if "INPUT" in left else "a declaration (model, block, fn, optimizer)"
    if {"INT", "LPAR"} <= left:
        words.append("a value")
        left -= STARTS_OPERAND | {"MINUS", "PLUS", "DOTS"}
    if "NAME" in left:
        words.append("a name")
    if "STRING" in left:
        words.append("a string")
    if "PIPE" in left or left >= {"PLUS", "STAR"}:
        words.append("an operator")
        left -= BINARY | {"PIPE", "IF", "AS", "LPAR", "LSQB", "DOT", "DOTS"}
    tables = load_tables()
    spelling = {name: text for text, name in (tables.words | tables.operators).items()}
    words += sorted(f"`{spelling[kind]}`" for kind in left if kind in spelling)
    if left & {"NL", "$END"}:
        words = [word for word in words if word != "`}`"]
        words.append("the end of the line")
    if "INT" in left and "a value" not in words:
        words.append("a number")
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "nothing"
