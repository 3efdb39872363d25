"""Characters of a source as positions of the protocol, and back; spans as places in files."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types

from nncomp.errors import Diagnostic
from nncomp.lsp.texts import std_path
from nncomp.source import SourceFile, Span

SOURCE = "nncomp"


class Positions:
    """encoding: what a client counts columns in: "utf-16" units by default"""

    def __init__(self, encoding: types.PositionEncodingKind | str) -> None:
        name = encoding.value if isinstance(encoding, types.PositionEncodingKind) else encoding
        self._codec, self._width = {
            "utf-8": ("utf-8", 1),
            "utf-32": ("utf-32-le", 4),
        }.get(name, ("utf-16-le", 2))

    def position(self, source: SourceFile, offset: int) -> types.Position:
        """Of a character."""
        line, column = source.position(min(offset, len(source.text)))
        before = source.text[offset - column + 1 : offset]
        return types.Position(line - 1, len(before.encode(self._codec)) // self._width)

    def offset(self, source: SourceFile, position: types.Position) -> int:
        """The character at a position; that of the line's end for a column behind it."""
        lines = source.text.count("\n") + 1
        if position.line >= lines:
            return len(source.text)
        line = source.line(position.line + 1)
        units = line.encode(self._codec)[: position.character * self._width]
        start = _line_start(source, position.line)
        return start + len(units.decode(self._codec, "ignore"))

    def range(self, span: Span) -> types.Range:
        """Of a span; an empty one at the end of a line stays empty."""
        source = span.source
        return types.Range(self.position(source, span.start), self.position(source, span.end))

    def location(self, span: Span) -> types.Location:
        """The file and the characters there."""
        return types.Location(uri_of(span.source.name), self.range(span))

    def diagnostic(self, found: Diagnostic, source: SourceFile) -> types.Diagnostic:
        """A diagnostic of a text; what lies in another file is shown at the first line."""
        here = found.span is not None and found.span.source is source
        span = found.span if here and found.span is not None else Span(source, 0, 0)
        message = f"{found.message}\n{found.label}" if found.label else found.message
        notes = [n for n in found.notes if n.span is None]
        message = "\n".join([message, *(f"note: {n.message}" for n in notes)])
        if found.help:
            message += f"\nhelp: {found.help}"
        related = [
            types.DiagnosticRelatedInformation(
                self.location(note.span), " · ".join(filter(None, (note.message, note.label)))
            )
            for note in found.notes
            if note.span is not None
        ]
        if found.span is not None and not here:
            related.insert(
                0, types.DiagnosticRelatedInformation(self.location(found.span), found.message)
            )
        severe = found.severity == "error"
        return types.Diagnostic(
            self.range(span),
            message,
            severity=types.DiagnosticSeverity.Error if severe else types.DiagnosticSeverity.Warning,
            code=found.code,
            source=SOURCE,
            related_information=related or None,
        )


def _line_start(source: SourceFile, line: int) -> int:
    """The first character of a line, counted from 0."""
    start = 0
    for _ in range(line):
        start = source.text.index("\n", start) + 1
    return start


def uri_of(name: str) -> str:
    """The address of a source: a path, a file of the standard library, or what an editor calls a
    text that has no file."""
    if name.startswith("std/") and not Path(name).exists():
        return std_path(Path(name).stem).as_uri()
    if "://" in name or name.startswith("untitled:"):
        return name
    return Path(name).absolute().as_uri()


def name_of(uri: str) -> str:
    """The path of an address, or the address itself for a text that has no file."""
    from pygls.uris import to_fs_path

    path = to_fs_path(uri) if uri.startswith("file:") else None
    return path or uri
