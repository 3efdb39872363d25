"""Syntax errors in plain words: what was found, what fits there, and what was likely meant.

The parser knows only the token that fits nowhere and the terminals that would. `_GUESSES` are
tried in order, each for one common mistake; the last resort names what was found and expected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from nncomp.errors import CompileError, Note, did_you_mean, error
from nncomp.syntax import foreign
from nncomp.syntax.lexer import BINARY, ENDS_OPERAND, STARTS_OPERAND, Tokens, words
from nncomp.syntax.place import ENDS, Place, describe

_STATEMENT_WORDS = words(
    "input output param buffer state update metric minimize maximize train entry if for return "
    "yield assert"
)
_DECLARATION_WORDS = words("model block fn optimizer import from")
_COMPARISONS = words("EQ NE LT LE GT GE IN")
_STATEMENT_KINDS = frozenset(word.upper() for word in _STATEMENT_WORDS) | {"NN", "IMPORT", "FROM"}


def syntax_error(tokens: Tokens, index: int, expected: Collection[str]) -> CompileError:
    """The report for a token where only the terminals in `expected` fit."""
    place = Place(tokens, index, expected)
    for guess in _GUESSES:
        report = guess(place)
        if report is not None:
            return report
    return error(
        "NN0101",
        f"{place.found} does not fit here",
        place.span,
        f"expected {describe(expected)}",
    )


# --- common mistakes -------------------------------------------------------------------------


def _after_stage(p: Place) -> CompileError | None:
    if "PIPE" in p.expected and p.kind() in BINARY and not (BINARY & set(p.expected)):
        return error(
            "NN0102",
            f"a pipe to the left of `{p.text()}` needs brackets",
            p.span,
            "what follows `|>` is a function or layer, not a sum or a product",
            help=f"write `(x |> f) {p.text()} …`",
        )
    return None


def _chained_comparison(p: Place) -> CompileError | None:
    if p.kind() in _COMPARISONS and "PLUS" in p.expected and "PIPE" in p.expected:
        return error(
            "NN0101",
            "comparisons do not chain",
            p.span,
            "a second comparison",
            help="write `a < b and b < c`, or put brackets around one of them",
        )
    return None


def _minimize_by(p: Place) -> CompileError | None:
    if not {"BY", "OVER"} <= set(p.expected) or p.kind() not in (*ENDS, "COMMA"):
        return None
    if p.kind() == "COMMA":
        hint = "add them up, `minimize a + b by …`, or write a `minimize` for each"
        return error("NN0101", "one loss is minimized at a time", p.span, help=hint)
    return error(
        "NN0101",
        "which optimiser is to minimize this?",
        p.span,
        "expected `by` or `over`",
        help="write `minimize … by Adam(lr=1e-3)`",
    )


def _type_without_dtype(p: Place) -> CompileError | None:
    if p.kind() != "LSQB" or p.kind(-1) != "COLON" or p.tokens.kinds[p.first] != "INPUT":
        return None
    return error("NN0101", "a type begins with a dtype", p.span, help="write `f32[…]`")


def _line_ends_early(p: Place) -> CompileError | None:
    if p.kind() != "NL" or not (p.kind(-1) in BINARY or p.kind(-1) == "PIPE"):
        return None
    return error(
        "NN0101",
        f"the line ends after `{p.text(-1)}`",
        p.tokens.span(p.index - 1),
        "a value must follow on this line",
        help=f"start the next line with `{p.text(-1)}`: so the statement runs on",
    )


def _list_ends_early(p: Place) -> CompileError | None:
    if p.kind() != "NL" or p.kind(-1) != "COMMA":
        return None
    several = p.tokens.kinds[p.first] == "OUTPUT"
    return error(
        "NN0101",
        "the line ends after `,`",
        p.tokens.span(p.index - 1),
        "the next one must follow on this line",
        help="write a second `output`" if several else "lines run on in brackets: `(…, …)`",
    )


def _misplaced_statement(p: Place) -> CompileError | None:
    kind = p.kind()
    if p.bracket is not None or p.index != p.first:
        return None
    at_top = "MODEL" in p.expected
    if kind in ("IMPORT", "FROM", "MODEL", "BLOCK", "OPTIMIZER", "FN") and "INPUT" in p.expected:
        what = "an import" if kind in ("IMPORT", "FROM") else f"a {kind.lower()}"
        return error("NN0106", f"{what} stands at the top of a file, not in a body", p.span)
    if at_top and (p.text() in _STATEMENT_WORDS):
        return error(
            "NN0106",
            f"`{p.text()}` stands in the body of a model, block or fn",
            p.span,
            "not at the top of a file",
        )
    if at_top and kind == "RBRACE":
        return error("NN0105", "this `}` closes nothing", p.span)
    return None


def _unclosed_bracket(p: Place) -> CompileError | None:
    """A statement begins on a new line inside a bracket: it was to be closed before."""
    if p.bracket is None or not p.starts_line:
        return None
    next_is_equal = (
        p.kind() == "NAME" and p.kind(1) == "EQUAL" and p.tokens.kinds[p.bracket] == "LSQB"
    )
    if p.kind() not in _STATEMENT_KINDS and p.text() not in _STATEMENT_WORDS and not next_is_equal:
        return None
    opener = p.tokens.text(p.bracket)
    closer = {"(": ")", "[": "]"}[opener]
    return error(
        "NN0105",
        f"this `{opener}` is not closed before the next statement",
        p.tokens.span(p.bracket),
        f"`{closer}` is missing",
        notes=[Note("a new statement begins here", p.span)],
    )


def _missing_comma(p: Place) -> CompileError | None:
    if "COMMA" not in p.expected or p.bracket is None or p.kind(-1) not in ENDS_OPERAND:
        return None
    if p.kind() not in STARTS_OPERAND:
        return None
    if p.kind(-1) in ("INT", "FLOAT") and p.touches(-1):
        return None
    return error(
        "NN0101",
        f"{p.found} follows {p.quoted(-1)} without a comma",
        p.span,
        "a `,` is missing before this",
        notes=[Note("inside this bracket", p.tokens.span(p.bracket))],
    )


def _number_runs_on(p: Place) -> CompileError | None:
    if p.kind() == "NAME" and p.kind(-1) in ("INT", "FLOAT") and p.touches(-1):
        span = p.tokens.span(p.index - 1).to(p.span)
        return error(
            "NN0101",
            f"`{span.text}` is neither a number nor a name",
            span,
            help="names start with a letter; multiplication is written with `*`",
        )
    return None


def _expression_statement(p: Place) -> CompileError | None:
    """A statement that only computes: it has no effect, or is another language's."""
    if p.index == p.first:
        starts = p.kind() in STARTS_OPERAND | {"MINUS"}
        return _no_effect(p) if starts and "INPUT" in p.expected else None
    is_target = p.tokens.kinds[p.first] in ("NAME", "LPAR") and p.bracket is None
    if not is_target or "EQUAL" not in p.expected or "NL" in p.expected:
        return None
    word = p.tokens.text(p.first)
    if p.index == p.first + 1 and p.kind() in STARTS_OPERAND - {"LPAR", "LSQB"} | {"LBRACE"}:
        near = did_you_mean(word, [*_STATEMENT_WORDS, *_DECLARATION_WORDS])
        return error(
            "NN0101",
            f"{p.found} does not fit after `{word}`",
            p.tokens.span(p.first) if near else p.span,
            "no statement begins so" if near else f"expected {describe(p.expected)}",
            help=near,
        )
    if p.kind() == "DOT" and p.kind(2) == "LPAR":
        return foreign.method(p, word)
    if p.kind() == "DOT":
        return error(
            "NN0101",
            "a member of a value cannot be assigned",
            p.statement,
            help="there is no `self`: write `name = Linear(4)`, and `name(x)` applies it"
            if word == "self"
            else f"write `update {word}.… = …` for a parameter or a buffer",
        )
    if word == "train" and p.kind() == "LPAR":
        return error(
            "NN0101",
            "a `train` section has no arguments",
            p.statement,
            help="`nncomp train` is told how long: `--epochs 10`; the optimiser has the rates",
        )
    if p.kind() in BINARY | {"LPAR", "PIPE", *ENDS}:
        return _no_effect(p)
    return None


def _output_of(p: Place) -> CompileError | None:
    if p.tokens.kinds[p.first] != "OUTPUT" or p.index == p.first or "EQUAL" not in p.expected:
        return None
    return error(
        "NN0101",
        "an output that is computed here needs a name",
        p.span,
        f"{p.found} after the name of a value",
        help="write `output name = …`",
    )


def _no_effect(p: Place) -> CompileError:
    loops = p.tokens.text(p.first) if p.tokens.kinds[p.first] in ("SCAN", "LOOP", "COND") else ""
    return error(
        "NN0101",
        "there are no expression statements",
        p.statement,
        "this value goes nowhere",
        help=f"a `{loops}` has a value: write `name = {loops} …`"
        if loops
        else "write `name = …`, or `return …`",
    )


def _half_a_choice(p: Place) -> CompileError | None:
    if p.kind() not in (*ENDS, "COMMA", "RPAR", "RSQB") or "ELSE" not in p.expected:
        return None
    at = p.index
    while at > p.first and p.tokens.kinds[at] != "IF":
        at -= 1
    return error(
        "NN0101",
        "this choice has no `else`",
        p.tokens.span(at),
        f"`else` is missing before {p.found}",
        help="write `a if condition else b`",
    )


def _brace_on_next_line(p: Place) -> CompileError | None:
    if p.kind() != "NL" or p.kind(1) != "LBRACE" or "LBRACE" not in p.expected:
        return None
    return error(
        "NN0101",
        "the `{` of a body stands on the line that it belongs to",
        p.tokens.span(p.index + 1),
        help="move it to the end of the line before",
    )


_GUESSES: tuple[Callable[[Place], CompileError | None], ...] = (
    foreign.lambda_,
    foreign.prefixed_string,
    foreign.slashes,
    _minimize_by,
    _type_without_dtype,
    foreign.type_in_round_brackets,
    foreign.untyped,
    foreign.open_dim,
    foreign.star,
    foreign.choice,
    _after_stage,
    _chained_comparison,
    foreign.word,
    foreign.augmented,
    foreign.arrow,
    foreign.python_block,
    _line_ends_early,
    _list_ends_early,
    _misplaced_statement,
    _unclosed_bracket,
    _number_runs_on,
    _missing_comma,
    _expression_statement,
    _output_of,
    _half_a_choice,
    _brace_on_next_line,
)
