"""Source text and spans: where in which file something was written."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar, dataclass_transform

from nncomp.records import record

Class = TypeVar("Class")


@record
class SourceFile:
    """A text with a name. Two sources are the same only if they are the same object.

    kept: what later stages have made of the text, so that they make it once
    """

    name: str
    text: str = field(repr=False)
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _line_starts(self) -> array[int]:
        return array("L", chain((0,), (match.end() for match in re.finditer("\n", self.text))))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column (both from 1, columns in characters) of a character offset."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its line end."""
        start = self._line_starts[number - 1]
        after = self._line_starts[number] if number < len(self._line_starts) else len(self.text) + 1
        return self.text[start : after - 1].rstrip("\r")


@dataclass_transform(frozen_default=True)
def _record(cls: type[Class]) -> type[Class]:
    """As `@dataclass(frozen=True, slots=True)`, but only mypy sees to it that nobody changes one:
    to make one takes a third of the time, and a file's tree has one for each node."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


@_record
class Span:
    """The characters [start, end) of a source."""

    source: SourceFile
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other` (same source)."""
        return Span(self.source, self.start, max(self.end, other.end))

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
