"""`format_source`: the canonical layout of a text, for `nncomp fmt`.

It works on tokens, not on the tree: brackets, numbers and strings stay as they were written and
no comment can be lost. Only line ends and blanks change, so the meaning cannot.

* Two blanks of indentation per body; at most one blank line in a row; at most 100 columns.
* A body stays on one line if it was written so and fits.
* A line break before `|>`, `else` or an operator is the writer's, and stays. Breaks inside
  brackets are ours: none if the line fits; else one before each `|>`, or before each of the
  loosest operators, or around the items of the widest bracket, or after each of its commas.
* A statement with comments inside keeps all its line breaks.
"""

from __future__ import annotations

from itertools import accumulate
from operator import add

from nncomp.source import SourceFile
from nncomp.syntax.lexer import CLOSERS, CONTINUES, ENDS_OPERAND, OPENERS, Tokens, scan
from nncomp.syntax.parser import parse_tokens
from nncomp.syntax.spacing import gaps

WIDTH = 100
_STEP = 2
# A line that is too long is broken before all of the first of these that it has.
_LOOSEST_FIRST = ("PIPE", "ELSE", "OR", "AND", "PLUS", "MINUS")


def format_source(source: SourceFile) -> str:
    """The text in canonical layout. Raises CompileError if it does not parse."""
    tokens = scan(source)
    parse_tokens(tokens, "file")
    printer = _Printer(tokens)
    printer.body(0, len(tokens.kinds) - 1, 0)
    return "".join(line + "\n" for line in printer.lines)


class _Printer:
    """Prints the statements of one text.

    lines:   what is printed
    comment: how many comments are printed
    offset:  where in the source the last printed thing ends
    fresh:   nothing is printed yet in this body, so that no blank line is due
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.text = tokens.source.text
        self.gaps = gaps(tokens)
        lengths = [self.tokens.ends[i] - self.tokens.starts[i] for i in range(len(self.gaps))]
        # up to and with each token, how many columns all would take on one line
        self.widths = list(accumulate(map(add, lengths, map(len, self.gaps))))
        self.lines: list[str] = []
        self.comment = 0
        self.offset = 0
        self.fresh = True

    # --- bodies and statements

    def body(self, low: int, high: int, indent: int) -> None:
        """The statements of the tokens [low, high), separated by NL; and what comments follow."""
        while low < high:
            end = low
            while end < high and self.tokens.kinds[end] != "NL":
                end = self.tokens.pairs.get(end, end) + 1
            self.own_comments(self.tokens.starts[low], indent)
            self.blank_line(self.tokens.starts[low])
            self.statement(low, end, indent)
            low = end + 1
        closes = self.tokens.kinds[high] == "RBRACE"
        self.own_comments(self.tokens.starts[high] if closes else len(self.text), indent)

    def statement(self, low: int, high: int, indent: int) -> None:
        """The tokens [low, high), cut at the bodies that take lines of their own."""
        bodies = [] if self.stays_on_one_line(low, high, indent) else self.bodies(low, high)
        for opener in bodies:
            indent = self.piece(low, opener + 1, indent)
            low = self.tokens.pairs[opener]
            self.fresh = True
            self.body(opener + 1, low, indent + _STEP)
        self.piece(low, high, indent)
        self.fresh = False

    def bodies(self, low: int, high: int) -> list[int]:
        """The braces of a statement, without those inside others."""
        found = []
        at = low
        while at < high:
            if self.tokens.kinds[at] == "LBRACE":
                if self.tokens.pairs[at] > at + 1 or self.has_comment(at, at + 2):
                    found.append(at)
                at = self.tokens.pairs[at]
            at += 1
        return found

    def stays_on_one_line(self, low: int, high: int, indent: int) -> bool:
        """Were all bodies of the statement written on one line each, and do they fit so?"""
        bodies = self.bodies(low, high)
        for opener in bodies:
            if self.breaks_between(opener, self.tokens.pairs[opener]):
                return False
        if not bodies:
            return True
        lines = self.render(low, high, indent, self.writers_breaks(low, high))
        return all(len(text) <= WIDTH for text, _, _ in lines)

    def piece(self, low: int, high: int, indent: int) -> int:
        """Print the tokens [low, high) and the comment behind them; gives the last indent."""
        current = indent
        for text, current, (first, last) in self.layout(low, high, indent):
            # comments of their own between the lines of a statement
            for line in self.comments_before(self.tokens.starts[first]):
                self.lines.append(" " * current + line)
            self.lines.append(text)
            self.offset = self.tokens.ends[last]
            self.trailing_comment()
        return current

    # --- comments and blank lines

    def comments_before(self, offset: int) -> list[str]:
        found = []
        comments = self.tokens.comments
        while self.comment < len(comments) and comments[self.comment][0] < offset:
            start, end = comments[self.comment]
            found.append(self.text[start:end].rstrip())
            self.comment += 1
            self.offset = end
        return found

    def own_comments(self, before: int, indent: int) -> None:
        """Print the comments that stand on lines of their own before an offset."""
        comments = self.tokens.comments
        while self.comment < len(comments) and comments[self.comment][0] < before:
            self.blank_line(comments[self.comment][0])
            [line] = self.comments_before(comments[self.comment][0] + 1)
            self.lines.append(" " * indent + line)
            self.fresh = False

    def trailing_comment(self) -> None:
        comments = self.tokens.comments
        if self.comment < len(comments):
            start = comments[self.comment][0]
            if "\n" not in self.text[self.offset : start]:
                [line] = self.comments_before(start + 1)
                self.lines[-1] += "  " + line

    def blank_line(self, offset: int) -> None:
        """Print a blank line if the source has one or more before this offset."""
        if not self.fresh and self.text.count("\n", self.offset, offset) > 1:
            self.lines.append("")

    def has_comment(self, low: int, high: int) -> bool:
        """Is there a comment between the first and the last of the tokens [low, high)?"""
        comments = self.tokens.comments
        if self.comment >= len(comments) or high - low < 2:
            return False
        end = self.tokens.starts[high - 1]
        first = self.tokens.ends[low]
        at = self.comment
        while at < len(comments) and comments[at][0] < first:
            at += 1
        return at < len(comments) and comments[at][0] < end

    def breaks_between(self, one: int, other: int) -> bool:
        return "\n" in self.text[self.tokens.ends[one] : self.tokens.starts[other]]

    # --- lines

    def layout(self, low: int, high: int, indent: int) -> list[tuple[str, int, tuple[int, int]]]:
        """The lines of the tokens [low, high): text, indentation, first and last token."""
        breaks = self.writers_breaks(low, high)
        if self.has_comment(low, high):
            return self.render(low, high, indent, breaks)
        while True:
            lines = self.render(low, high, indent, breaks)
            more: set[int] = set()
            for text, current, (first, last) in lines:
                if len(text) > WIDTH:
                    more |= self.split(first, last + 1, current)
            if not more - breaks:
                return lines
            breaks |= more

    def writers_breaks(self, low: int, high: int) -> set[int]:
        """The line ends to keep: all if there are comments, else those outside brackets."""
        kinds = self.tokens.kinds
        if self.has_comment(low, high):
            return {i for i in range(low + 1, high) if self.breaks_between(i - 1, i)}
        breaks = set()
        at = self.tokens.pairs.get(low, low) + 1
        while at < high:
            goes_on = kinds[at] in CONTINUES and kinds[at] not in CLOSERS
            after_body = kinds[at] == "ELSE" and kinds[at - 1] == "RBRACE"
            if goes_on and not after_body and self.breaks_between(at - 1, at):
                breaks.add(at)
            at = self.tokens.pairs.get(at, at) + 1
        return breaks

    def split(self, low: int, high: int, indent: int) -> set[int]:
        """Where to break a line that is too long; nowhere if it has no place for it."""
        kinds, pairs = self.tokens.kinds, self.tokens.pairs
        operators: dict[str, set[int]] = {name: set() for name in _LOOSEST_FIRST}
        brackets: list[int] = []
        at = low
        while at < high:
            if kinds[at] in operators and at > low and kinds[at - 1] in ENDS_OPERAND:
                operators[kinds[at]].add(at)
            close = pairs.get(at, high)
            if close < high:
                if close > at + 1 and kinds[at] != "LBRACE":
                    brackets.append(at)
                at = close
            at += 1
        for places in operators.values():
            if places:
                return places
        if not brackets:
            return set()
        widest = max(brackets, key=lambda b: self.widths[pairs[b]] - self.widths[b])
        return self.explode(widest, indent)

    def explode(self, opener: int, indent: int) -> set[int]:
        """The items of a bracket on one line of their own; each on its own if they do not fit."""
        close = self.tokens.pairs[opener]
        breaks = {opener + 1, close}
        if indent + _STEP + self.widths[close - 1] - self.widths[opener] <= WIDTH:
            return breaks
        at = opener + 1
        while at < close:
            if self.tokens.kinds[at - 1] == "COMMA":
                breaks.add(at)
            at = self.tokens.pairs.get(at, at) + 1
        return breaks

    def render(
        self, low: int, high: int, indent: int, breaks: set[int]
    ) -> list[tuple[str, int, tuple[int, int]]]:
        """The tokens [low, high) with a line end before each token in `breaks`."""
        kinds = self.tokens.kinds
        lines: list[tuple[str, int, tuple[int, int]]] = []
        open_indents: list[int] = []  # of the lines in which the open brackets stand
        current, parts, first = indent, [" " * indent], low
        for at in range(low, high):
            if at in breaks:
                lines.append(("".join(parts), current, (first, at - 1)))
                outer = open_indents[-1] if open_indents else indent
                if kinds[at] in CLOSERS or (kinds[at] == "ELSE" and kinds[at - 1] == "RBRACE"):
                    current = outer
                elif open_indents and kinds[at] in CONTINUES and kinds[at - 1] in ENDS_OPERAND:
                    current = outer + 2 * _STEP
                else:
                    current = outer + _STEP
                parts, first = [" " * current], at
            elif at > low:
                parts.append(self.gaps[at])
            parts.append(self.tokens.text(at))
            if kinds[at] in OPENERS:
                open_indents.append(current)
            elif kinds[at] in CLOSERS and open_indents:
                open_indents.pop()
        lines.append(("".join(parts), current, (first, high - 1)))
        return lines
