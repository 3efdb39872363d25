"""The values of literals: numbers within limits, strings with their escapes and `{}` parts."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable

from nncomp.errors import CompileError, error
from nncomp.source import SourceFile, Span
from nncomp.syntax import ast

MAX_DIGITS = 30
MAX_INT = 2**63 - 1
MAX_STRING = 100_000
MAX_PARTS = 1_000  # expressions in a string

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "{": "{", "}": "}"}
_PIECE = re.compile(
    r"""(?P<plain>[^\\{}]+)
      | \\u(?P<code>[0-9a-fA-F]{4}) | \\(?P<escape>.?)
      | (?P<double>\{\{|\}\}) | (?P<open>\{) | (?P<close>\})""",
    re.VERBOSE | re.DOTALL,
)


@ast.node
class Doc(ast.Node):
    """A text in triple quotes, on its way to the declaration that it describes."""

    value: str


def read_int(span: Span) -> int:
    digits = span.text.replace("_", "")
    if len(digits) > MAX_DIGITS or int(digits) > MAX_INT:
        raise _too_large("integer", span, "integers end at 2**63 - 1")
    return int(digits)


def read_float(span: Span) -> float:
    value = float(span.text.replace("_", ""))
    if math.isinf(value):
        raise _too_large("number", span, "floats end at about 1.8e308")
    return value


def _too_large(kind: str, span: Span, label: str) -> CompileError:
    return error("NN0005", f"this {kind} is too large", span, label)


def read_doc(span: Span) -> Doc:
    """The text with the common indentation and the blank lines around it taken off."""
    return Doc(span, inspect.cleandoc(span.text[3:-3].replace("\r\n", "\n")))


def string_parts(
    span: Span, parse_part: Callable[[SourceFile, int, int], ast.Expr]
) -> tuple[str, tuple[str | ast.Expr, ...]]:
    """The value of a string literal, and its parts: text, expression, text, …

    In the value the expressions stand as they are written.
    """
    source = span.source
    body = span.text[1:-1]
    if len(body) > MAX_STRING:
        raise error("NN0009", f"a string ends at {MAX_STRING:,} characters", span)
    if "\\" not in body and "{" not in body and "}" not in body:
        return body, (body,)
    parts: list[str | ast.Expr] = []
    text: list[str] = []
    value: list[str] = []
    at = 0
    while at < len(body):
        piece = _PIECE.match(body, at)
        assert piece is not None
        where = Span(source, span.start + 1 + at, span.start + 1 + piece.end())
        kind = piece.lastgroup
        if kind == "open":
            close = body.find("}", at)
            if close < 0:
                raise error(
                    "NN0105",
                    "this `{` is never closed",
                    where,
                    "`}` is missing",
                    help="for a brace as a character write `{{`",
                )
            if not body[at + 1 : close].strip():
                raise error(
                    "NN0101",
                    "these braces hold no expression",
                    Span(source, where.start, where.start + close - at + 1),
                    help="for a brace as a character write `{{`",
                )
            if len(parts) >= 2 * MAX_PARTS:
                raise error("NN0009", f"a string holds at most {MAX_PARTS:,} expressions", where)
            expr = parse_part(source, where.end, span.start + 1 + close)
            parts += ["".join(text), expr]
            value += [*text, body[at : close + 1]]
            text = []
            at = close + 1
            continue
        text.append(_plain(piece, where))
        at = piece.end()
    last = "".join(text)
    return "".join(value) + last, (*parts, last)


def _plain(piece: re.Match[str], where: Span) -> str:
    match piece.lastgroup:
        case "double":
            return piece.group()[0]
        case "code":
            code = int(piece.group("code"), 16)
            if not 0xD800 <= code < 0xE000:  # half of a pair is no character
                return chr(code)
            raise error("NN0101", f"`{piece.group()}` is no character", where)
        case "escape":
            if piece.group("escape") in _ESCAPES:
                return _ESCAPES[piece.group("escape")]
            raise error(
                "NN0101",
                f"`{piece.group()}` means nothing in a string",
                where,
                help=r"known are \n \t \r \" \\ \{ \} and \u with four hex digits; "
                r"for a backslash write \\",
            )
        case "close":
            raise error("NN0101", "this `}` closes nothing", where, help="for a brace write `}}`")
    return piece.group()
