"""A lexer for Pygments: `pygmentize -l nn`, Sphinx, MkDocs, Jupyter, LaTeX's minted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pygments.lexer import Lexer
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

from nncomp.errors import CompileError
from nncomp.highlight.words import Kind, words_of

_TOKENS: Mapping[Kind, Any] = {
    "comment": Comment.Single,
    "doc": String.Doc,
    "string": String.Double,
    "number": Number,
    "keyword": Keyword,
    "declaration": Keyword.Declaration,
    "word operator": Operator.Word,
    "constant": Keyword.Constant,
    "type": Keyword.Type,
    "class": Name.Class,
    "function": Name.Function,
    "argument": Name.Attribute,
    "namespace": Name.Namespace,
    "name": Name,
    "operator": Operator,
    "punctuation": Punctuation,
    "error": Error,
}


class NnLexer(Lexer):  # type: ignore[misc]  # Pygments has no types
    """Texts of nncomp. What the compiler's scanner does not know is an error; a text that nests or
    goes on beyond its limits has no colours."""

    name = "nncomp"
    aliases: ClassVar[list[str]] = ["nn", "nncomp"]
    filenames: ClassVar[list[str]] = ["*.nn"]
    mimetypes: ClassVar[list[str]] = ["text/x-nncomp"]

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """Positions, Pygments' kinds, and the text of each piece."""
        try:
            words = words_of(text)
        except CompileError:
            yield 0, Text, text
            return
        at = 0
        for word in words:
            if at < word.start:
                yield at, Whitespace, text[at : word.start]
            yield word.start, _TOKENS[word.kind], text[word.start : word.end]
            at = word.end
        if at < len(text):
            yield at, Whitespace, text[at:]
