"""Which tokens of a line stand apart: the canonical blanks of the formatter."""

from __future__ import annotations

from nncomp.syntax.lexer import CLOSERS, ENDS_OPERAND, OPENERS, Tokens

_NEVER_BEFORE = frozenset(["COMMA", "RPAR", "RSQB", "QUESTION", "COLON", "DOT", "NL", "$END"])
_NEVER_AFTER = frozenset(["LPAR", "LSQB", "DOT"])


def gaps(tokens: Tokens) -> list[str]:
    """For each token what stands between it and the one before: a blank or nothing.

    `a + b`, `-x`, `f(x, k=v)`, `name: type = v`, `x[1:, ...]`, `S...`, `{ a = 1 }`.
    """
    result: list[str] = []
    kinds = tokens.kinds
    brackets: list[str] = []
    # per bracket: in this argument `=` has blanks, since a type or `over` came before
    spaced = [True]
    glued = False  # the token before takes no blank after it
    for index, kind in enumerate(kinds):
        before = kinds[index - 1] if index else "NL"
        inside = brackets[-1] if brackets else "LBRACE"
        tight = (kind == "COLON" and inside == "LSQB") or (
            kind == "EQUAL" and inside != "LBRACE" and not spaced[-1]
        )
        if before in ("INT", "FLOAT") and kind in ("DOT", "DOTS"):
            # `1.x` would be read as the number `1.`
            apart = kind == "DOT" or tokens.text(index - 1).endswith(".")
        elif kind == "COLON" and before == "COMMA":
            apart = True
        elif glued or tight or kind in _NEVER_BEFORE or before in _NEVER_AFTER:
            apart = False
        elif kind in ("LPAR", "LSQB", "DOTS"):
            apart = before not in ENDS_OPERAND
        else:
            apart = True
        result.append(" " if apart else "")
        sign = kind in ("MINUS", "PLUS") and before not in ENDS_OPERAND
        glued = tight or sign
        if kind in OPENERS:
            brackets.append(kind)
            spaced.append(False)
        elif kind in CLOSERS:
            brackets.pop()
            spaced.pop()
        elif kind == "COMMA":
            spaced[-1] = False
        elif kind == "OVER" or (kind == "COLON" and inside == "LPAR"):
            spaced[-1] = True
    return result
