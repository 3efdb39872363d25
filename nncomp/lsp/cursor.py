"""Where a cursor stands in a text that may be broken: told from tokens, not from the tree."""

from __future__ import annotations

from dataclasses import dataclass

from nncomp.errors import CompileError
from nncomp.source import SourceFile
from nncomp.syntax.lexer import OPENERS, Tokens, scan
from nncomp.syntax.tables import load_tables

_STARTS_STATEMENT = ("NL", "LBRACE")
_CALLEE = ("NAME", "DOT")


@dataclass(frozen=True)
class Cursor:
    """word: what of a name is written before the cursor
    owner: of an attribute, what stands before the dot: `onnx`
    importing: what an import statement names so far: "" after `from`, the module after `import`;
        None elsewhere
    chooses: in an import, whether names of the module are wanted, rather than a module
    callee: what the arguments at the cursor are for: `Conv`, `onnx.Conv`; "" for nothing
    piped: whether that call is a stage of a pipe; second: whether it is `Block(…)(here`
    named: arguments that it has by name
    argument: whether a name of an argument may stand here
    stage: behind `|>`
    starts: at the beginning of a statement; depth: in how many bodies
    typed: where a type is wanted
    """

    word: str = ""
    owner: str = ""
    importing: str | None = None
    chooses: bool = False
    callee: str = ""
    piped: bool = False
    second: bool = False
    named: frozenset[str] = frozenset()
    argument: bool = False
    stage: bool = False
    starts: bool = False
    depth: int = 0
    typed: bool = False


def cursor_at(text: str, offset: int) -> Cursor | None:
    """The place of a cursor; None in comments, strings and numbers."""
    try:
        tokens = scan(SourceFile("", text[:offset]))
    except CompileError:
        return None
    kinds = tokens.kinds[:-1]
    if tokens.comments and tokens.comments[-1][1] == offset:
        return None
    at = len(kinds)
    word = ""
    if at and tokens.ends[at - 1] == offset:
        if _is_word(tokens, at - 1):
            at -= 1
            word = tokens.text(at)
        elif kinds[at - 1] in ("BAD", "STRING", "DOC", "INT", "FLOAT"):
            return None
    before = kinds[at - 1] if at else "NL"
    if before == "DOT":
        return Cursor(word, owner=_dotted(tokens, at - 1))
    first = _statement(kinds, at)
    imports = first < at and tokens.text(first) in ("from", "import")
    if imports and (kinds[first] != "NAME" or at == first + 1):  # `from` alone is no keyword yet
        return _import(tokens, first, at, word)
    opened = _open(tokens, at)
    depth = sum(kinds[i] == "LBRACE" for i in opened)
    new_line = "\n" in text[tokens.ends[at - 1] : offset - len(word)] if at else True
    inner = opened[-1] if opened else None
    starts = before in _STARTS_STATEMENT or (
        new_line and (inner is None or kinds[inner] == "LBRACE")
    )
    if (
        inner is None
        or kinds[inner] != "LPAR"
        or inner == 0
        or kinds[inner - 1]
        not in (
            "NAME",
            "RPAR",
        )
    ):
        return Cursor(
            word, stage=before == "PIPE", starts=starts, depth=depth, typed=before == "COLON"
        )
    callee, second, start = _callee(tokens, inner)
    named = {
        tokens.text(i)
        for i in range(inner + 1, at - 1)
        if kinds[i] == "NAME" and kinds[i + 1] == "EQUAL"
    }
    return Cursor(
        word,
        callee=callee,
        piped=start > 0 and kinds[start - 1] == "PIPE",
        second=second,
        named=frozenset(named),
        argument=before in ("LPAR", "COMMA"),
        stage=before == "PIPE",
        depth=depth,
        typed=before == "COLON",
    )


def _is_word(tokens: Tokens, index: int) -> bool:
    return tokens.kinds[index] == "NAME" or tokens.text(index) in load_tables().words


def _statement(kinds: list[str], at: int) -> int:
    """The first token of the statement that the one at `at` belongs to."""
    while at and kinds[at - 1] not in _STARTS_STATEMENT:
        at -= 1
    return at


def _import(tokens: Tokens, first: int, at: int, word: str) -> Cursor:
    kinds = tokens.kinds
    words = [i for i in range(first, at) if kinds[i] == "IMPORT"]
    if kinds[first] == "FROM" and words:
        module = tokens.source.text[tokens.starts[first + 1] : tokens.ends[words[0] - 1]]
        return Cursor(word, importing=module, chooses=True)
    return Cursor(word, importing="")


def _open(tokens: Tokens, at: int) -> list[int]:
    """The brackets that are open at a token, outermost first."""
    return [i for i in range(at) if tokens.kinds[i] in OPENERS and tokens.pairs.get(i, at) >= at]


def _callee(tokens: Tokens, bracket: int) -> tuple[str, bool, int]:
    """What is called by a bracket, whether it is the second list of a block, its first token."""
    second = tokens.kinds[bracket - 1] == "RPAR"
    end = bracket
    if second:
        openers = {close: open_ for open_, close in tokens.pairs.items()}
        end = openers.get(bracket - 1, 0)
    start = end
    while start and tokens.kinds[start - 1] in _CALLEE:
        start -= 1
    return "".join(tokens.text(i) for i in range(start, end)), second, start


def _dotted(tokens: Tokens, dot: int) -> str:
    start = dot
    while start and tokens.kinds[start - 1] in _CALLEE:
        start -= 1
    return "".join(tokens.text(i) for i in range(start, dot))
