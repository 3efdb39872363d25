"""What users of other languages write, and how it is written here."""

from __future__ import annotations

from nncomp.errors import CompileError, error
from nncomp.source import Span
from nncomp.syntax.lexer import BINARY
from nncomp.syntax.place import Place

_GROWS = "a list grows by `{0} = [{0}..., value]`; `scan` collects the values of all steps"
_LEARNS = "write `minimize loss by Adam(lr=1e-3)` in a `train` block"

# First on a line.
_WORDS = {
    "def": "write `fn name(x: float[N]) = …`, or a `block` if it owns parameters",
    **dict.fromkeys(["func", "function"], "write `fn name(x: float[N]) = …`"),
    **dict.fromkeys(["class", "struct"], "write `block Name(hyperparameters)(tensors) { … }`"),
    **dict.fromkeys(["let", "var", "const", "val"], "write `name = value`"),
    "elif": "write `else if`",
    "while": "write `name = loop (carry = …) while condition { … }`",
    "pass": "an empty body is `{ }`",
    "print": "make the value an `output` or a `metric`",
    **dict.fromkeys(["switch", "match"], "write `if` and `else if`"),
    "loss": _LEARNS,
    "with": "there are no contexts: `stop_gradient(x)` is a constant for gradients",
    "try": "what must hold stands in an `assert`",
}
_TYPED = {
    "input": "f32[N, 8]",
    **dict.fromkeys(["param", "buffer"], "f32[8] = zeros()"),
    "state": "float[S...] = zeros()",
}
_METHODS = {
    **dict.fromkeys(["append", "extend", "insert"], _GROWS),
    **dict.fromkeys(["backward", "step", "zero_grad"], _LEARNS),
}


def type_in_round_brackets(p: Place) -> CompileError | None:
    if p.kind() != "LPAR" or p.kind(-1) != "NAME" or p.kind(-2) != "COLON":
        return None
    help = f"write `{p.text(-1)}[…]`"
    return error("NN0101", "the dims of a type stand in `[ ]`", p.span, help=help)


def untyped(p: Place) -> CompileError | None:
    """`input x`, `param scale = 1.0`."""
    word = p.text(-2)
    if word not in _TYPED or p.index != p.first + 2 or "COLON" not in p.expected:
        return None
    what, help = (
        f"the type of `{p.text(-1)}` is missing",
        f"write `{word} {p.text(-1)}: {_TYPED[word]}`",
    )
    return error("NN0101", what, p.span, "expected `:`", help=help)


def open_dim(p: Place) -> CompileError | None:
    """`input x: f32[?, 8]`."""
    stands_alone = p.text(-1) in ("[", ",") and p.text(1) in ("]", ",")
    if p.text() not in ("?", ":", "*") or not stands_alone or p.tokens.kinds[p.first] != "INPUT":
        return None
    help = "a dim of any size has a name: `f32[N, 8]`"
    return error("NN0101", f"`{p.text()}` is no dim", p.span, help=help)


def star(p: Place) -> CompileError | None:
    """`from std import *`."""
    if p.text() != "*" or p.kind(-1) != "IMPORT":
        return None
    module = "".join(p.text(step) for step in range(p.first - p.index + 1, -1))
    help = f"write `from {module} import Name, other`, or `import {module}` and `{module}.Name`"
    return error("NN0101", "names are imported one by one", p.span, help=help)


def choice(p: Place) -> CompileError | None:
    """`condition ? a : b`."""
    if p.text() != "?":
        return None
    help = "write `a if condition else b`, of tensors `where(condition, a, b)`"
    return error("NN0101", "there is no `? :`", p.span, help=help)


def word(p: Place) -> CompileError | None:
    at = p.index if p.text() == "elif" else p.first  # it follows a `}`
    name = p.tokens.text(at)
    if name in _WORDS and p.tokens.kinds[at] == "NAME" and p.index <= at + 1:
        return error(
            "NN0101",
            f"there is no `{name}` statement",
            p.tokens.span(at),
            help=_WORDS[name],
        )
    return None


def augmented(p: Place) -> CompileError | None:
    if p.kind() in BINARY and p.kind(1) == "EQUAL" and p.touches(0):
        name = p.text(-1)
        return error(
            "NN0101",
            f"there is no `{p.text()}=`",
            Span(p.span.source, p.span.start, p.tokens.ends[p.index + 1]),
            help=f"write `{name} = {name} {p.text()} …`",
        )
    for step in (0, -1):
        if p.kind(step) == p.kind(step - 1) and p.kind(step) in ("PLUS", "MINUS"):
            return _increment(p, step - 1)
    if p.kind() == p.kind(1) and p.kind() in ("PLUS", "MINUS") and p.touches(0):
        return _increment(p, 0)
    return None


def _increment(p: Place, step: int) -> CompileError:
    at = p.index + step
    sign = p.text(step)
    return error(
        "NN0101",
        f"there is no `{sign}{sign}`",
        p.tokens.span(at).to(p.tokens.span(at + 1)),
        help=f"write `i = i {sign} 1`",
    )


def lambda_(p: Place) -> CompileError | None:
    if p.text(-1) != "lambda" or p.kind(-1) != "NAME":
        return None
    span, help = p.tokens.span(p.index - 1), "write `fn f(x) = …` above the model"
    return error("NN0101", "a function has a name", span, help=help)


def prefixed_string(p: Place) -> CompileError | None:
    at = -1 if p.kind() == "STRING" else 0
    if p.kind(at) != "NAME" or p.kind(at + 1) != "STRING" or not p.touches(at):
        return None
    help = f'write it without `{p.text(at)}`: in any string "{{i}}" is the value of i'
    return error("NN0101", "a string has no prefix", p.span, help=help)


def slashes(p: Place) -> CompileError | None:
    if p.text() != "//" or not p.starts_line:
        return None
    return error("NN0101", "a comment begins with `#`", p.span, help="write `# …`")


def arrow(p: Place) -> CompileError | None:
    fat = p.kind() == "GT" and p.kind(-1) == "EQUAL" and p.touches(-1)
    if fat:
        span = p.tokens.span(p.index - 1).to(p.span)
        return error(
            "NN0101",
            "`=>` has no meaning",
            span,
            help="a result type follows `->`, a body stands in `{ }`, a value follows `=`",
        )
    if p.kind() == "ARROW":
        return error(
            "NN0101",
            "`->` stands only before the result type of a fn or block",
            p.span,
            help="to pass a value on, write `|>`",
        )
    return None


def python_block(p: Place) -> CompileError | None:
    if p.kind() == "COLON" and "LBRACE" in p.expected:
        return error(
            "NN0101",
            "a body stands in `{ }`",
            p.span,
            "not after a `:`",
            help="write `{` here and `}` after the body",
        )
    return None


def method(p: Place, word: str) -> CompileError:
    """`xs.append(x)` as a statement: in other languages it changes the value."""
    method = p.text(1)
    hint = _METHODS.get(method, f"write `name = {method}({word}, …)`, or `{word} |> {method}`")
    return error(
        "NN0101",
        "a value is not changed in place",
        p.statement,
        help=hint.format(word),
    )
