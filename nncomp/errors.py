"""Diagnostics: every rejection has a stable code, a span, the facts that clash, a suggestion.

A `Diagnostic` says what is wrong; a `CompileError` carries one or more of them. The codes and
what each means in general stand in `nncomp/codes.py`.

The text form is rustc's::

    error[NN0207]: cannot add float[N, 64, 56, 56] and float[N, 64, 28, 28]
      --> resnet.nn:14:15
       |
    14 |   return relu(y + skip)
       |               ^^^^^^^^ height 56 (left) is not 28 (right)
       |
    note: the right side lost half its height here
      --> resnet.nn:12:15
       ...
    help: did you mean `pad=1`?
"""

from __future__ import annotations

import difflib
import heapq
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal

from nncomp.codes import CODES
from nncomp.source import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Note:
    """A further fact, with the place where it comes from if it has one."""

    message: str
    span: Span | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about an input.

    code:    stable, a key of `nncomp.codes.CODES`
    message: the headline, in plain words
    span:    where; None only if there is no text to point at (a missing file)
    label:   stands beside the marked characters
    """

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    notes: tuple[Note, ...] = ()
    help: str | None = None
    severity: Severity = "error"

    def __post_init__(self) -> None:
        assert self.code in CODES, f"undeclared diagnostic code {self.code}"

    def applied_at(self, span: Span | None) -> Diagnostic:
        if span is None or self.span is None or self.span.source is span.source:
            return self
        inner = Note("it fails here", self.span, self.label)
        return replace(self, span=span, label="", notes=(inner, *self.notes))

    def render(self) -> str:
        """The text form, without a final line end."""
        lines = [f"{self.severity}[{self.code}]: {_clipped(self.message)}"]
        if self.span is not None:
            lines += _excerpt(self.span, self.label, "^")
        for note in self.notes:
            lines.append(f"note: {_clipped(note.message)}")
            if note.span is not None:
                lines += _excerpt(note.span, note.label, "-")
        if self.help:
            lines.append(f"help: {self.help}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "message": _clipped(self.message),
            "label": self.label,
            **_place(self.span),
            "notes": [
                {"message": note.message, "label": note.label, **_place(note.span)}
                for note in self.notes
            ],
            "help": self.help,
        }


class CompileError(Exception):
    """The input is at fault; `diagnostics` say how (at least one)."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        assert diagnostics
        self.diagnostics = diagnostics
        super().__init__(*diagnostics)

    def at(self, span: Span | None) -> CompileError:
        """The same, at `span` where it had no place."""
        return CompileError(*(d if d.span else replace(d, span=span) for d in self.diagnostics))

    def helped(self, help: str) -> CompileError:
        """The same, with a suggestion where it had none."""
        return CompileError(*(d if d.help else replace(d, help=help) for d in self.diagnostics))

    def applied_at(self, span: Span | None) -> CompileError:
        """The same, at the place where what has failed in another file was applied."""
        return CompileError(*(d.applied_at(span) for d in self.diagnostics))

    def __str__(self) -> str:
        return "\n\n".join(d.render() for d in self.diagnostics)


MAX_ERRORS = 100


class Problems:
    """The errors of one run, each code and place once; who reports them goes on to find more."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Span | None], Diagnostic] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, failure: CompileError) -> None:
        """Takes note. Raises CompileError with all of them when there are too many."""
        for diagnostic in failure.diagnostics:
            self._found.setdefault((diagnostic.code, diagnostic.span), diagnostic)
        if len(self._found) >= MAX_ERRORS:
            raise self.error()

    def error(self) -> CompileError:
        """All that was found, in the order of the source; files in the order they were met."""
        files: dict[object, int] = {}
        for d in self._found.values():
            files.setdefault(d.span and d.span.source, len(files))
        return CompileError(
            *sorted(
                self._found.values(),
                key=lambda d: (files[d.span and d.span.source], d.span.start if d.span else 0),
            )
        )


def error(
    code: str,
    message: str,
    span: Span | None = None,
    label: str = "",
    *,
    notes: Iterable[Note] = (),
    help: str | None = None,
) -> CompileError:
    """A `CompileError` of one diagnostic, to be raised."""
    return CompileError(Diagnostic(code, message, span, label, tuple(notes), help))


_MAX_NAME = 60  # characters of a misspelt name for which one that is near is looked for
_LEAST_BEGUN = 4  # characters of a name that may be the beginning of a longer one
_MAX_SEEN, _MAX_ALIKE = 1_000, 20  # names of about its length that are looked at, and compared


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """A help line that names the candidate nearest to a misspelt name, if one is near."""
    near = nearest(name, candidates)
    return f"did you mean `{near}`?" if near else None


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate nearest to a misspelt name, if one is near."""
    if len(name) > _MAX_NAME:
        return None
    length, letters, folded = len(name), set(name), name.lower()
    candidates = list(candidates)
    least, most = length / 2.1, length * 4.5 / 2.1
    alike = [c for c in candidates if least < len(c) < most][:_MAX_SEEN]
    near = [c for c in alike if c.lower() == folded]  # `adam` is `Adam`, no `adam_step`
    if not near:
        if len(alike) > _MAX_ALIKE:
            shared = {c: 2 * len(letters.intersection(c)) - abs(len(c) - length) for c in alike}
            alike = heapq.nlargest(_MAX_ALIKE, shared, key=shared.__getitem__)
        near = difflib.get_close_matches(name, alike, n=1, cutoff=0.65)
    if not near and length >= _LEAST_BEGUN:
        begun = [c for c in candidates if c.startswith(name)]
        near = begun if len(begun) == 1 else []
    return near[0] if near else None


def require_choice(name: str, given: object, choices: Sequence[object]) -> None:
    """Raises CompileError NN0202 unless an argument of the Python API is one of its choices."""
    if given not in choices:
        *others, last = map(repr, choices)
        raise error("NN0202", f"`{name}` is {', '.join(others)} or {last}, not {given!r}")


def require_count(name: str, given: object, least: int = 1) -> int:
    """The whole number of the Python API's argument, one of NumPy's too. Raises CompileError NN0202
    for what is none, or is less."""
    if isinstance(given, bool) or not isinstance(given, Integral) or given < least:
        raise error("NN0202", f"`{name}` is a whole number from {least} on, not {given!r}")
    return int(given)


def require_number(name: str, given: object, below: float = math.inf) -> float:
    """The number from 0 on of the Python API's argument. Raises CompileError NN0202 for what is
    none, is negative, or not below the bound."""
    if isinstance(given, bool) or not isinstance(given, Real) or not 0 <= float(given) < below:
        bound = "" if below == math.inf else f", below {below:g}"
        raise error("NN0202", f"`{name}` is a number from 0 on{bound}, not {given!r}")
    return float(given)


def require_names(name: str, given: object) -> tuple[str, ...]:
    """The names of the Python API's argument; a text is one. Raises CompileError NN0202 for what
    is none."""
    found = (given,) if isinstance(given, str) else given
    if not isinstance(found, Iterable) or isinstance(found, Mapping):
        raise error("NN0202", f"`{name}` is a list of names, not {given!r}")
    names = tuple(found)
    for part in names:
        if not isinstance(part, str):
            raise error("NN0202", f"`{name}` is a list of names, and {part!r} is none")
    return names


_MAX_WIDTH = 160
_MAX_MESSAGE = 1_000


def _clipped(message: str) -> str:
    """A message without the middle of a text of the user's that is very long."""
    if len(message) <= _MAX_MESSAGE:
        return message
    return f"{message[: _MAX_MESSAGE // 2]} … {message[-_MAX_MESSAGE // 2 :]}"


def _excerpt(span: Span, label: str, mark: str) -> list[str]:
    line_number, column = span.source.position(span.start)
    text = span.source.line(line_number)
    first = min(column - 1, len(text))
    length = max(1, min(span.end - span.start, len(text) - first))
    if len(text) > _MAX_WIDTH:  # a window around the marked characters
        cut = max(0, first - _MAX_WIDTH // 3)
        text, first = text[cut : cut + _MAX_WIDTH], first - cut
        length = max(1, min(length, len(text) - first))
    gutter = " " * len(str(line_number))
    lead = " " * _width(text[:first])
    marks = mark * max(1, _width(text[first : first + length]))
    printable = "".join(c if c.isprintable() else " " for c in text)
    return [
        f"{gutter}--> {span}",
        f"{gutter} |",
        f"{line_number} | {printable}",
        f"{gutter} | {lead}{marks} {_clipped(label)}".rstrip(),
        f"{gutter} |",
    ]


def _width(text: str) -> int:
    """Columns that a terminal gives the text."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"file": None}
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
