"""Source texts with their colours, and places in them, as the page has them.

Lines and columns count from 0; columns are UTF-16 units, as JavaScript counts.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nncomp.ir.graph import Origin
from nncomp.source import SourceFile, Span

Highlight = Callable[[SourceFile], Iterable[tuple[int, int, str]]]
KINDS = ("keyword", "string", "number", "comment", "call", "type")
_COMMENT = re.compile(r"  # .*$", re.MULTILINE)


class Sources:
    """The texts that spans point into, and all spans, each once.

    highlight: the colours of a text, from the language's own lexer
    """

    def __init__(self, highlight: Highlight) -> None:
        self._highlight = highlight
        self._texts: dict[int, _Text] = {}
        self._order: list[_Text] = []
        self._spans: dict[Span, int] = {}
        self._lists: dict[tuple[int, ...], int] = {(): 0}

    def add(self, source: SourceFile) -> int:
        """The number of a text."""
        text = self._texts.get(id(source))
        if text is None:
            text = self._texts[id(source)] = _Text(source, len(self._order))
            self._order.append(text)
        return text.number

    def spans(self, origin: Origin) -> int:
        """The number of a list of spans."""
        return self.list(origin.spans)

    def list(self, spans: Iterable[Span]) -> int:
        """The number of the list of these spans."""
        key = tuple([self._span(span) for span in spans])
        return self._lists.setdefault(key, len(self._lists))

    def _span(self, span: Span) -> int:
        number = self._spans.get(span)
        if number is None:
            self.add(span.source)
            number = self._spans[span] = len(self._spans)
        return number

    def to_json(self) -> dict[str, Any]:
        """sources, spans (five numbers each: source, line, column, last line, column behind the
        end), and the lists of spans."""
        flat: list[int] = []
        for span in self._spans:
            text = self._texts[id(span.source)]
            flat += (text.number, *text.position(span.start), *text.position(span.end))
        return {
            "sources": [self._text(text) for text in self._order],
            "spans": flat,
            "spanLists": [list(key) for key in self._lists],
        }

    def _text(self, text: _Text) -> dict[str, Any]:
        found = list(self._highlight(text.source))
        if not found:  # the text form of an ONNX model
            found = [(m.start(), m.end(), "comment") for m in _COMMENT.finditer(text.source.text)]
        return {
            "name": text.source.name,
            "text": text.source.text,
            "colours": text.colours(found),
        }


class _Text:
    """One text, its lines found once."""

    def __init__(self, source: SourceFile, number: int) -> None:
        self.source = source
        self.number = number
        self._starts = [0, *(m.end() for m in re.finditer("\n", source.text))]
        self._plain = source.text.isascii() or max(source.text) < "\U00010000"

    def position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        if self._plain:
            return line, offset - start
        before = self.source.text[start:offset]
        return line, len(before) + sum(c > "\uffff" for c in before)

    def colours(self, found: Sequence[tuple[int, int, str]]) -> list[int]:
        """Four numbers each: lines since the one before, column, length, kind. What goes over
        several lines is cut into lines."""
        flat: list[int] = []
        last = 0
        for start, end, kind in found:
            while start < end:
                line, column = self.position(start)
                stop = self._starts[line + 1] - 1 if line + 1 < len(self._starts) else end
                stop = min(stop, end)
                if stop > start:
                    length = self.position(stop)[1] - column
                    flat += (line - last, column, length, KINDS.index(kind))
                    last = line
                start = stop + 1 if stop < end else end
        return flat
