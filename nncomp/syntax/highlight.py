"""What each stretch of a text is, for colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from nncomp.errors import CompileError
from nncomp.source import SourceFile
from nncomp.syntax.lexer import scan, words
from nncomp.syntax.tables import load_tables

Kind = Literal["keyword", "string", "number", "comment", "call", "type"]
TYPES = words("bf16 bool f16 f32 f64 i16 i32 i64 i8 u16 u32 u64 u8 int float str")


def highlights(source: SourceFile) -> list[tuple[int, int, Kind]]:
    """Start, end and kind of what has one, in order; nothing of a text with faulty characters, as
    the lines are by which ONNX models are pointed at."""
    try:
        tokens = scan(source)
    except CompileError:
        return []
    if tokens.faults:
        return []
    keywords = set(load_tables().words.values())
    found: list[tuple[int, int, Kind]] = [(a, b, "comment") for a, b in tokens.comments]
    following = [*tokens.kinds[1:], "$END"]
    for kind, after, start, end in zip(
        tokens.kinds, following, tokens.starts, tokens.ends, strict=True
    ):
        for name in _kind(kind, after, source.text[start:end], keywords):
            found.append((start, end, name))
    return sorted(found)


def _kind(kind: str, after: str, text: str, keywords: set[str]) -> Iterator[Kind]:
    if kind in keywords:
        yield "keyword"
    elif kind in ("STRING", "DOC"):
        yield "string"
    elif kind in ("INT", "FLOAT"):
        yield "number"
    elif kind == "NAME" and text in TYPES:
        yield "type"
    elif kind == "NAME" and after == "LPAR":
        yield "call"
