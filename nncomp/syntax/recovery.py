"""Going on after a syntax error: the parser drops the statement and takes up the next one.

A statement that is broken ends with its line; to it belong lines that are indented deeper, the
line after a hanging operator, and a body. What an earlier error brings about is not reported: an
`else` or a `}` whose beginning was dropped, and everything after a `{` that is never closed.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from nncomp.errors import CompileError, Problems
from nncomp.syntax.lexer import BINARY, Tokens
from nncomp.syntax.tables import Tables

_HANGING = BINARY | {"PIPE", "COMMA"}
_UNITS = ("statement", "item")  # of a body, of a file


class Recovery:
    """The errors of one text, and where to go on after each."""

    def __init__(self, tables: Tables, tokens: Tokens) -> None:
        self._tables, self._tokens = tables, tokens
        self.problems = Problems()

    def depth(self, states: list[int], values: list[Any]) -> int:
        """How many entries of the stack stay: the last of them waits for a statement."""
        depth, closed = len(states), 0  # bodies whose `}` was read, but that are no tree yet
        while closed or not any(u in self._tables.gotos[states[depth - 1]] for u in _UNITS):
            depth -= 1
            if isinstance(values[depth], int):
                kind = self._tokens.kinds[values[depth]]
                closed += (kind == "RBRACE") - (kind == "LBRACE")
        return depth

    def unit(self, state: int) -> int:
        """The state after the statement that this state waits for."""
        gotos = self._tables.gotos[state]
        return next(gotos[unit] for unit in _UNITS if unit in gotos)

    def skip(self, failure: CompileError, index: int, start: int) -> int:
        """Reports an error at token `index` in the statement that starts at the character `start`;
        the token that ends it. Raises CompileError if nothing can be told after it."""
        tokens = self._tokens
        first = min(bisect_left(tokens.starts, start), index)
        end = self._end(first, index)
        if tokens.lost is not None and end > tokens.lost:
            if index < tokens.lost:
                self.problems.add(self._fault(failure, first, index))
            self.problems.add(tokens.faults[tokens.lost]())
            raise self.problems.error()
        kind = tokens.kinds[index]
        follows = kind == "ELSE" or (kind == "BAD" and tokens.text(index) == "}")
        if not (self.problems and follows):
            self.problems.add(self._fault(failure, first, index))
        return end

    def _fault(self, failure: CompileError, first: int, last: int) -> CompileError:
        """What is wrong with a character or bracket between two tokens comes first: it may be why
        the statement cannot be read."""
        at = min((t for t in self._tokens.faults if first <= t <= last), default=None)
        return failure if at is None else self._tokens.faults[at]()

    def _end(self, first: int, index: int) -> int:
        kinds, pairs = self._tokens.kinds, self._tokens.pairs
        column, at = self._column(first), index
        while kinds[at] not in ("RBRACE", "$END"):
            if kinds[at] != "NL":
                at = pairs.get(at, at) + 1
            elif (
                kinds[at - 1] in _HANGING
                or kinds[at + 1] == "LBRACE"
                or self._column(at + 1) > column
            ):
                at += 1
            else:
                break
        return at

    def _column(self, index: int) -> int:
        start = self._tokens.starts[index]
        return start - self._tokens.source.text.rfind("\n", 0, start)
