"""From text to tokens, in one pass, with all that a context-free grammar cannot say.

Here line ends become `NL` tokens or vanish, soft keywords are told from names, brackets are
matched, and nesting is bounded: so no later stage can be driven into deep recursion.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial

from nncomp.errors import CompileError, Note, error
from nncomp.limits import limits
from nncomp.source import SourceFile, Span
from nncomp.syntax.tables import Tables, load_tables

MAX_NESTING = 64
MAX_STATEMENT = 50_000  # tokens, but for those of bodies


def words(text: str) -> frozenset[str]:
    """A set of words, written with blanks between them."""
    return frozenset(text.split())


OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS = {close: open_ for open_, close in OPENERS.items()}
BINARY = words("PLUS MINUS STAR SLASH FLOOR PERCENT AT POWER EQ NE LT LE GT GE AND OR IN")
# A line that starts with one of these goes on with the line before.
CONTINUES = BINARY | {"PIPE", "ELSE", "ARROW", "RBRACE"}
# After one of these a value is complete: what follows is an operator or a word like `over`.
ENDS_OPERAND = words("NAME INT FLOAT STRING TRUE FALSE NONE RPAR RSQB RBRACE DOTS QUESTION")
STARTS_OPERAND = words("NAME INT FLOAT STRING TRUE FALSE NONE LPAR LSQB SCAN LOOP COND NOT")

# Soft keywords. At the start of a statement they count before a name (or a body); `minimize`
# before anything that does not make it the target of an assignment.
_AT_START = words(
    "from model block optimizer fn input output param buffer state update metric minimize "
    "maximize train entry"
)
_AFTER_START = words("NAME LBRACE STRING")
_TARGET_GOES_ON = words("EQUAL COLON COMMA LSQB DOT NL RBRACE")
# After an operand: two values never stand side by side.
_AFTER_OPERAND = words("over by when axis reverse while")
_IN_MINIMIZE = words("over by")  # may start a line of their own
# `cond` counts before a value that is not a bracketed index.
_AFTER_COND = words("NAME INT FLOAT STRING TRUE FALSE NONE NOT LPAR")
_SOFT = _AT_START | _AFTER_OPERAND | {"nn", "scan", "loop", "cond"}


@dataclass(slots=True)
class Tokens:
    """The tokens of a text as three parallel lists (a fraction of the cost of objects).

    comments: start and end of each comment; only the formatter looks at them.
    pairs:    opening bracket -> closing bracket, as indices of tokens
    faults:   what is wrong with characters and brackets, by the token at fault; one that fits
              nowhere is of the kind BAD
    lost:     the token from which on the structure cannot be told: a `{` without its `}`
    """

    source: SourceFile
    kinds: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    comments: list[tuple[int, int]] = field(default_factory=list)
    pairs: dict[int, int] = field(default_factory=dict)
    faults: dict[int, Callable[[], CompileError]] = field(default_factory=dict)
    lost: int | None = None

    def span(self, index: int) -> Span:
        return Span(self.source, self.starts[index], self.ends[index])

    def text(self, index: int) -> str:
        return self.source.text[self.starts[index] : self.ends[index]]


@cache
def _pattern() -> re.Pattern[str]:
    tables = load_tables()
    operators = sorted(tables.operators, key=len, reverse=True)
    groups = [f"(?P<{name}>{regex})" for name, regex in tables.patterns.items()]
    # NAME first: it is the most frequent, and no other terminal starts with a letter.
    groups.sort(key=lambda group: not group.startswith("(?P<NAME>"))
    groups.append(f"(?P<OPERATOR>{'|'.join(map(re.escape, operators))})")
    return re.compile(
        r"[ \t\r]*+(?:(?P<LINE>\n(?:[ \t\r]*+\n)*+)|(?P<COMMENT>#[^\n]*)|"
        + "|".join(groups)
        + r"""|(?P<LAST>\Z)|(?P<BAD>\"\"\"[\s\S]*|"[^\n]*|'(?:[^'\n]*')?|&&|\|\||.))"""
    )


@cache
def _hard_keywords() -> dict[str, str]:
    return {word: name for word, name in load_tables().words.items() if word not in _SOFT}


def scan(source: SourceFile, start: int = 0, end: int | None = None) -> Tokens:
    """The tokens of source.text[start:end], the last of them `$END`.

    Characters and brackets at fault are kept in `faults`. Raises NN0003 for brackets nested more
    than 64 deep, NN0009 for a text that is too long.
    """
    text = source.text
    end = len(text) if end is None else end
    if start == 0 and text.startswith("\ufeff"):  # a byte order mark, as some editors leave
        start = 1
    tokens = Tokens(source)
    kinds, starts, ends = tokens.kinds, tokens.starts, tokens.ends
    tables: Tables = load_tables()
    operators, hard = tables.operators, _hard_keywords()
    stack: list[int] = []  # the opening brackets around this place, as indices of tokens
    in_lines = True  # line ends count here: the innermost bracket is a `{`, or there is none
    new_line = False  # a line end came before this token
    soft = False  # the last token may turn out to be a keyword of its statement
    minimizing = False  # this is a `minimize`, which goes on before a line that starts with `by`
    most = limits().words
    longest = min(MAX_STATEMENT, most)  # the number of tokens that this statement may end with
    for match in _pattern().finditer(text, start, end):
        kind = match.lastgroup
        if kind == "LINE":
            new_line = True
            continue
        assert kind is not None
        first, last = match.span(kind)
        previous = kinds[-1] if kinds else "NL"
        if kind == "NAME":
            word = match.group("NAME")
            if previous == "DOT":
                pass
            elif word in hard:
                kind = hard[word]
        elif kind == "OPERATOR":
            kind = operators[match.group("OPERATOR")]
        elif kind == "COMMENT":
            tokens.comments.append((first, last))
            if len(tokens.comments) > most:
                raise _too_long(Span(source, first, last), most)
            continue
        elif kind == "LAST":
            break
        if new_line:
            new_line = False
            goes_on = kind in CONTINUES or (minimizing and kind == "NAME" and word in _IN_MINIMIZE)
            if in_lines and not goes_on and previous not in ("NL", "LBRACE"):
                soft = minimizing = False
                kinds.append("NL")
                starts.append(ends[-1])
                ends.append(ends[-1] + 1)
                previous = "NL"
                longest = min(len(kinds) + MAX_STATEMENT, most)
        if soft:  # the token before is a NAME at the start of its statement
            soft = False
            word_before = tokens.text(-1)
            if (
                kind not in _TARGET_GOES_ON
                if word_before in ("minimize", "maximize")
                else kind == "INT"
                if word_before == "nn"
                else kind in _AFTER_START
            ):
                kinds[-1] = previous = tables.words[word_before]
                minimizing = previous in ("MINIMIZE", "MAXIMIZE")
        if kind == "NAME":
            if previous in ENDS_OPERAND:
                if word in _AFTER_OPERAND:
                    kind = tables.words[word]
                    _mark_scan_or_loop(tokens, kind)
            elif previous in ("NL", "LBRACE"):
                soft = word in _AT_START or (word == "nn" and not kinds)
        if previous == "NAME" and kind in _AFTER_COND and _is_cond(tokens):
            kinds[-1] = "COND"
        if kind in OPENERS:
            stack.append(len(kinds))
            if len(stack) > MAX_NESTING:
                raise too_deep(Span(source, first, last))
            in_lines = kind == "LBRACE"
            if in_lines:
                longest = min(len(kinds) + MAX_STATEMENT, most)
        elif kind in CLOSERS:
            if stack and kinds[stack[-1]] == CLOSERS[kind]:
                tokens.pairs[stack.pop()] = len(kinds)
            else:
                kind = _unbalanced(tokens, stack, kind, Span(source, first, last))
            in_lines = not stack or kinds[stack[-1]] == "LBRACE"
            minimizing = minimizing and kind != "RBRACE"
        elif kind == "BAD":
            tokens.faults[len(kinds)] = partial(bad_character, source, first)
            if text.startswith('"""', first):
                tokens.lost = len(kinds)
        kinds.append(kind)
        starts.append(first)
        ends.append(last)
        if len(kinds) > longest:
            raise _too_long(Span(source, first, last), most if len(kinds) > most else None)
    if stack and tokens.lost is None:
        tokens.lost = _likely_unclosed(tokens, stack[-1])
        tokens.faults.setdefault(tokens.lost, partial(_unclosed, tokens, tokens.lost, None))
    if kinds and kinds[-1] == "NL":
        del kinds[-1], starts[-1], ends[-1]
    kinds.append("$END")
    starts.append(ends[-1] if ends else start)
    ends.append(starts[-1])
    return tokens


def _mark_scan_or_loop(tokens: Tokens, kind: str) -> None:
    """At `over` or `while`: the name before, or before the carries, was a keyword."""
    word = {"OVER": "scan", "WHILE": "loop"}.get(kind, "")
    at = len(tokens.kinds) - 1
    if tokens.kinds[at] == "RPAR":
        opener = next(reversed(tokens.pairs))  # the last bracket closed is this one
        after = tokens.kinds[opener + 1 : opener + 3]
        if after not in (["RPAR"], ["NAME", "COLON"], ["NAME", "EQUAL"]):
            return  # arguments of a call, not carries
        at = opener - 1
    if at < 0 or tokens.kinds[at] != "NAME" or tokens.text(at) != word:
        return
    if at == 0 or tokens.kinds[at - 1] not in ENDS_OPERAND | {"DOT", "MINIMIZE", "MAXIMIZE"}:
        tokens.kinds[at] = word.upper()


def _is_cond(tokens: Tokens) -> bool:
    if tokens.text(-1) != "cond":
        return False
    before = tokens.kinds[-2] if len(tokens.kinds) > 1 else "NL"
    return before not in ENDS_OPERAND and before not in ("DOT", "PIPE", "FN", "BLOCK", "MODEL")


# --- what can be wrong with characters and brackets ----------------------------------------------


def too_deep(span: Span) -> CompileError:
    return error(
        "NN0003",
        f"brackets and blocks are nested more than {MAX_NESTING} deep",
        span,
        "one too many",
        help="give an inner part a name of its own",
    )


def _unclosed(tokens: Tokens, opener: int, found: Span | None) -> CompileError:
    bracket = tokens.text(opener)
    closer = {"(": ")", "[": "]", "{": "}"}[bracket]
    at_end = f"the file ends without a `{closer}`"
    note = Note(at_end) if found is None else Note(f"`{found.text}` comes first, here", found)
    return error(
        "NN0105",
        f"this `{bracket}` is never closed",
        tokens.span(opener),
        f"`{closer}` is missing",
        notes=[note],
    )


def _likely_unclosed(tokens: Tokens, opener: int) -> int:
    """The first brace whose `}` stands further left than its line: its own `}` was forgotten."""
    for open_, close in sorted(tokens.pairs.items()):
        if open_ > opener and tokens.kinds[open_] == "LBRACE":
            text = tokens.source.text
            line = text[text.rfind("\n", 0, tokens.starts[close]) + 1 : tokens.starts[close]]
            open_line = text[text.rfind("\n", 0, tokens.starts[open_]) + 1 :]
            indent = len(open_line) - len(open_line.lstrip(" \t"))
            if not line.strip() and len(line) < indent:
                return open_
    return opener


def _unbalanced(tokens: Tokens, stack: list[int], kind: str, found: Span) -> str:
    """Takes note of a closing bracket that does not fit; what it counts as from here on.

    A `}` closes the body around, whatever is open inside it.
    """
    kinds, at = tokens.kinds, len(tokens.kinds)
    inner = stack and kinds[stack[-1]] != "LBRACE"
    if inner:
        tokens.faults[stack[-1]] = partial(_unclosed, tokens, stack[-1], found)
    if kind == "RBRACE" and any(kinds[opener] == "LBRACE" for opener in stack):
        while kinds[stack[-1]] != "LBRACE":
            stack.pop()
        tokens.pairs[stack.pop()] = at
        return kind
    if kind != "RBRACE" and inner:
        tokens.pairs[stack.pop()] = at
        return kind
    tokens.faults[at] = partial(_closes_nothing, found)
    return "BAD"


def _closes_nothing(found: Span) -> CompileError:
    return error("NN0105", f"this `{found.text}` closes nothing", found, "no bracket is open here")


def _too_long(span: Span, most: int | None) -> CompileError:
    """most: what a file may have, if it is the file that is too long"""
    what = "statement" if most is None else "file"
    raised = "" if most is None else "; --max-words raises the limit"
    return error(
        "NN0009",
        f"this {what} is longer than {most or MAX_STATEMENT:,} words and signs",
        span,
        "one too many",
        help=f"repeat layers with `for`; large tables of numbers belong into weights{raised}",
    )


_INSTEAD = {
    "'": ("strings are written with double quotes", 'write "..."'),
    ";": ("there is no `;` in the language", "put each statement on a line of its own"),
    "&": ("`&` is not an operator", "write `and`"),
    "|": ("`|` is not an operator", "write `or`, or `|>` to pass a value on"),
    "!": ("`!` is not an operator", "write `not`"),
    "^": ("`^` is not an operator", "write `**` for a power"),
    "~": ("`~` is not an operator", "write `not`"),
    "\\": (
        "a line is not continued with `\\`",
        "start the next line with the operator, or put brackets around the expression",
    ),
}


def bad_character(source: SourceFile, at: int) -> CompileError:
    """The report for a character with which no token starts."""
    text = source.text
    char = text[at]
    if char == '"':
        line_end = text.find("\n", at)
        stop = len(text) if line_end < 0 else line_end
        if text.startswith('"""', at):
            return error(
                "NN0105",
                'this `"""` is never closed',
                Span(source, at, at + 3),
                '`"""` is missing',
            )
        return error(
            "NN0105",
            "this string is not closed on its line",
            Span(source, at, stop),
            'a `"` is missing',
        )
    if char in _INSTEAD:
        width = 2 if text[at : at + 2] in ("&&", "||") else 1
        message, instead = _INSTEAD[char]
        shown = message.replace("`&`", "`&&`").replace("`|`", "`||`") if width == 2 else message
        return error("NN0101", shown, Span(source, at, at + width), help=instead)
    shown = f"`{char}` (U+{ord(char):04X})" if char.isprintable() else f"U+{ord(char):04X}"
    return error(
        "NN0101",
        f"the character {shown} has no meaning here",
        Span(source, at, at + 1),
        help="names are made of the letters a-z and A-Z, digits and _" if char.isalpha() else None,
    )
