"""Diagnostics on standard error: as text, coloured on a terminal, or as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import TextIO

from nncomp.errors import CompileError, Diagnostic

_MOST = 20  # diagnostics shown as text
_RED, _YELLOW, _BLUE, _BOLD, _OFF = "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1m", "\033[0m"


def report(failure: CompileError, form: str = "text") -> None:
    """Writes all diagnostics of an error."""
    show(failure.diagnostics, form)


def show(diagnostics: Sequence[Diagnostic], form: str = "text") -> None:
    """Writes errors or warnings; nothing if there are none."""
    if not diagnostics:
        return
    if form == "json":
        json.dump([d.to_json() for d in diagnostics], sys.stderr, indent=2)
        print(file=sys.stderr)
        return
    texts = [diagnostic.render() for diagnostic in diagnostics[:_MOST]]
    more = len(diagnostics) - len(texts)
    if more:
        texts.append(f"… and {more} more")
    text = "\n\n".join(texts)
    print(_coloured(text) if has_colour(sys.stderr) else text, file=sys.stderr)


def has_colour(stream: TextIO) -> bool:
    """Whether colours are wanted: on a terminal, unless NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _coloured(text: str) -> str:
    return "\n".join(_coloured_line(line) for line in text.split("\n"))


def _coloured_line(line: str) -> str:
    head = re.match(r"(error|warning)\[NN\d+\](: .*)", line)
    if head:
        colour = _RED if head[1] == "error" else _YELLOW
        return f"{colour}{line[: head.start(2)]}{_OFF}{_BOLD}{head[2]}{_OFF}"
    label = re.match(r"(note|help): ", line)
    if label:
        return f"{_BOLD}{label[0]}{_OFF}{line[label.end() :]}"
    gutter = re.match(r" *(?:\d+ )?(?:-->|\|)", line)
    if gutter:
        rest = line[gutter.end() :]
        mark = re.fullmatch(r"( *)(\^+|-+)( .*)?", rest)
        if mark and "-->" not in gutter[0]:
            colour = _RED if mark[2][0] == "^" else _BLUE
            rest = f"{mark[1]}{colour}{mark[2]}{mark[3] or ''}{_OFF}"
        return f"{_BLUE}{gutter[0]}{_OFF}{rest}"
    return line
