"""What the words and signs of a text are, by the scanner of the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nncomp.source import SourceFile
from nncomp.syntax.lexer import Tokens, scan, words
from nncomp.syntax.tables import load_tables
from nncomp.types import DType

Kind = Literal[
    "comment",
    "doc",
    "string",
    "number",
    "keyword",
    "declaration",
    "word operator",
    "constant",
    "type",
    "class",
    "function",
    "argument",
    "namespace",
    "name",
    "operator",
    "punctuation",
    "error",
]

DECLARATIONS = words("MODEL BLOCK OPTIMIZER FN INPUT OUTPUT PARAM BUFFER STATE METRIC TRAIN ENTRY")
CONSTANTS = words("TRUE FALSE NONE")
WORD_OPERATORS = words("AND OR NOT IN")
TYPES = frozenset(d.value for d in DType) | words("float int bool str list block fn dim dtype any")
NAMESPACES = words("onnx nncomp")
PUNCTUATION = words("LPAR RPAR LSQB RSQB LBRACE RBRACE COMMA COLON DOT QUESTION")
_LITERALS: dict[str, Kind] = {
    "DOC": "doc",
    "STRING": "string",
    "INT": "number",
    "FLOAT": "number",
    "BAD": "error",
}


@dataclass(frozen=True)
class Word:
    """The characters [start, end) of a text."""

    start: int
    end: int
    kind: Kind


def words_of(text: str) -> list[Word]:
    """The words, signs and comments of a text, in order. Raises CompileError NN0003, NN0009."""
    tokens = scan(SourceFile("", text))
    found = [Word(start, end, "comment") for start, end in tokens.comments]
    return sorted([*found, *_words(tokens)], key=lambda word: word.start)


def _words(tokens: Tokens) -> Iterator[Word]:
    for index, kind in enumerate(tokens.kinds[:-1]):
        if kind != "NL":
            yield Word(tokens.starts[index], tokens.ends[index], _kind(tokens, index))


def _kind(tokens: Tokens, index: int) -> Kind:
    kind = tokens.kinds[index]
    if kind in _LITERALS:
        return _LITERALS[kind]
    if kind == "NAME":
        return _name(tokens, index)
    if kind in CONSTANTS:
        return "constant"
    if kind in WORD_OPERATORS:
        return "word operator"
    if tokens.text(index) in load_tables().words:
        return "declaration" if kind in DECLARATIONS else "keyword"
    return "punctuation" if kind in PUNCTUATION else "operator"


def _name(tokens: Tokens, index: int) -> Kind:
    """What a name is, as far as its neighbours tell."""
    kinds, name = tokens.kinds, tokens.text(index)
    before = kinds[index - 1] if index else "NL"
    after = kinds[index + 1]
    if before in ("MODEL", "BLOCK", "OPTIMIZER"):
        return "class"
    if before == "FN":
        return "function"
    if before in ("LPAR", "COMMA", "NL") and after == "EQUAL":
        return "name" if before == "NL" else "argument"
    if after == "DOT" and name in NAMESPACES:
        return "namespace"
    if before in ("COLON", "ARROW") and name in TYPES:
        return "type"
    if after in ("LPAR", "LSQB") and name in TYPES and before != "DOT":
        return "type"
    if after == "LPAR" or before == "PIPE":
        return "class" if name[0].isupper() else "function"
    return "name"
