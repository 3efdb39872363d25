"""Damaged programs: bytes, tokens and structure of good ones, changed at random but repeatably."""

from __future__ import annotations

import random
import re
from pathlib import Path


def words(text: str) -> list[str]:
    """Words that are written with blanks between them."""
    return text.split()


ROOT = Path(__file__).parent.parent
_TOKEN = re.compile(
    r'"""[\s\S]*?"""|"[^"\n]*"|#[^\n]*|\n[ ]*|[A-Za-z_]\w*|[\d.]+|\|>|->|[^\w\s]|[ ]+'
)
_NUMBERS = words("0 1 2 3 7 -1 64 100 9223372036854775807 9223372036854775808 0.5 1e400")
_WORDS = words("""
    ( ) [ ] { } , : . ... ? = -> |> + - * / // % @ ** == < >= and or not in if else for as return
    yield assert input output param buffer state update metric minimize over by when axis reverse
    while scan loop cond train entry model block fn optimizer from import nn true false none
    f32 i64 bool float int list dim N C S... _ x y relu mean sum reshape zeros onnx.Add training
    "a{b}" "a ' ; ! # \\ "{x}" grad copy with_ partial range len x.shape x.rank x[0] x[:, 1:] f(x)
""")
_OPERATORS = words("+ - * / // % @ ** == != < >= and or in")
_TYPES = words("f16 f32 f64 i8 i32 i64 u8 bool float int list dim str fn block any")
_VALUES = words("""
    none true [] [1,2] (1,) "text" "{N}" x x[0] x[...,0] x[:,none] x.shape x.dtype mean(x) relu(x)
    zeros() ones([2,3]) range(3) N f32 relu [x,x] (x,x) grad(sum(x),x) cast(x,f16) argmax(x) x>0
    onnx.Relu nncomp.Grad training [i*i for i in range(3)] partial x|>relu -x (x if true else 1)
""")
_BYTES = [*"\0\t\r\n \"'{}()[]#\\", "\u00e9", "\U0001f600", "\ufeff", "\u2028"]


def seeds() -> list[str]:
    """Small good programs: those of the parser's tests, the reference's, the models' (WaveNet is
    small as a text only: its 4,000 nodes cost as much as forty of the others)."""
    texts = [p.read_text() for p in sorted((ROOT / "tests/syntax/programs").glob("*.nn"))]
    reference = (ROOT / "docs/language.md").read_text()
    examples = re.findall(r"^```nn\n(.*?)^```", reference, re.MULTILINE | re.DOTALL)
    texts += [
        text
        if re.search(r"^(model|fn|block|optimizer|import|from) ", text, re.MULTILINE)
        else f"model M {{\n  input x: f32[N, 3, 8, 10]\n{text}\n  output y = x\n}}\n"
        for text in examples
    ]
    models = (p for p in sorted((ROOT / "models").glob("*.nn")) if p.stem != "wavenet")
    small = [p.read_text() for p in models]
    return [text for text in texts + small if len(text) < 1500]


class Mutator:
    """Gives damaged programs, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._texts = seeds()

    def program(self) -> str:
        """A good program with one to four pieces of damage."""
        text = self._random.choice(self._texts)
        for _ in range(self._random.choice((1, 1, 1, 2, 2, 4))):
            text = self._random.choice((self._in_tokens,) * 3 + (self._in_lines, self._in_bytes))(
                text
            )
        return text

    def _in_bytes(self, text: str) -> str:
        at = self._random.randrange(len(text) + 1)
        length = self._random.choice((0, 0, 1, 1, 2, 10))
        piece = self._random.choice(["", self._random.choice(_BYTES)])
        return text[:at] + piece + text[at + length :]

    def _in_tokens(self, text: str) -> str:
        """Replaces a token, mostly by one that may stand there too; drops, doubles or swaps it."""
        tokens = _TOKEN.findall(text)
        at = self._random.choice([i for i, t in enumerate(tokens) if t.strip()] or [0])
        match self._random.randrange(12):
            case 0:
                tokens[at] = ""
            case 1:
                tokens[at] *= 2
            case 2:
                other = self._random.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = self._random.choice(_WORDS)
            case _:
                tokens[at] = self._like(tokens, tokens[at])
        return "".join(tokens)

    def _like(self, tokens: list[str], token: str) -> str:
        if token[0].isdigit():
            return self._random.choice([*_NUMBERS, *_VALUES])
        if token in _OPERATORS:
            return self._random.choice(_OPERATORS)
        if token in _TYPES:
            return self._random.choice(_TYPES)
        if token[0].isalpha() and token not in _WORDS:
            names = [t for t in tokens if t[:1].isalpha() and t not in _WORDS]
            return self._random.choice([*names, *names, *_NUMBERS, *_VALUES])
        return token

    def _in_lines(self, text: str) -> str:
        """Drops, doubles or moves a line, or takes one from another program."""
        lines = text.split("\n")
        at = self._random.randrange(len(lines))
        match self._random.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                lines.insert(self._random.randrange(len(lines)), lines.pop(at))
            case _:
                foreign = self._random.choice(self._texts).split("\n")
                lines.insert(at, self._random.choice(foreign))
        return "\n".join(lines)
