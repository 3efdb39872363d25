"""`parse`: a source text to its syntax tree.

The tables come from Lark (`tables.py`); the loop that follows them is here, since it is short
and, free of Lark's token and tree objects, several times faster. It keeps its own stacks, so
the depth of a program never meets Python's recursion limit. After an error it goes on with the
next statement (`recovery.py`), so that one run finds all errors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from nncomp.collector import collector_paused
from nncomp.errors import CompileError, error
from nncomp.source import SourceFile, Span
from nncomp.syntax import ast
from nncomp.syntax.build import Broken, TreeBuilder
from nncomp.syntax.explain import syntax_error
from nncomp.syntax.lexer import Tokens, scan
from nncomp.syntax.recovery import Recovery
from nncomp.syntax.tables import Tables, load_tables

# Brackets count at most 64 levels; this bounds what needs none (`- - - x`, `a ** b ** c`, sums
# and pipes of hundreds of terms), so that who walks the tree may recurse.
MAX_HEIGHT = 250


@collector_paused()
def parse(source: SourceFile) -> ast.File:
    """The syntax tree of a whole file; the source keeps it.

    Raises CompileError with all errors (NN0003, NN0005, NN0007, NN0009, NN0101, NN0102, NN0105,
    NN0106), always with a span.
    """
    if "tree" not in source.kept:
        source.kept["tree"] = parse_tokens(scan(source), "file")
    return cast(ast.File, source.kept["tree"])


def parse_expression(source: SourceFile) -> ast.Expr:
    """The tree of a text that is one expression, such as the value of `--set name=value`."""
    return cast(ast.Expr, parse_tokens(scan(source), "expr"))


def parse_tokens(tokens: Tokens, start: str) -> ast.Node:
    """Run the LALR tables over the tokens; `start` is "file" or "expr"."""
    run = _Run(tokens, start)
    if start != "file":
        return run.tree()
    recovery = Recovery(run.tables, tokens)
    while True:
        try:
            tree = run.tree()
        except CompileError as failure:
            run.drop(recovery, failure)
            continue
        if recovery.problems:
            raise recovery.problems.error()
        return tree


# head, size, what makes the node, splice, gathers, layout: see `Rule`
_Rule = tuple[str, int, Callable[..., Any] | None, bool, bool, tuple[int, ...] | None]


@cache
def _rules() -> list[_Rule]:
    return [
        (
            r.head,
            r.size,
            None if r.action is None or r.splice else getattr(TreeBuilder, r.action),
            r.splice,
            r.gathers,
            r.layout,
        )
        for r in load_tables().rules
    ]


class _Run:
    """The state of a parse.

    index: the token that comes next
    states, values, firsts, heights: one entry per symbol: its state, its value (a token is its
        index), where it starts, and how high its tree is. The first entry stands for the bottom.
    """

    def __init__(self, tokens: Tokens, start: str) -> None:
        self.tables, self.tokens = load_tables(), tokens
        first, self.complete = self.tables.starts[start]
        self.index = self.sound = 0
        self.states, self.values = [first], [cast(Any, None)]
        self.firsts, self.heights = [0], [0]
        self.builder, self.rules = TreeBuilder(tokens, _parse_part), _rules()

    def drop(self, recovery: Recovery, failure: CompileError) -> None:
        """Drops the statement that an error is in; `index` is then the token that ends it."""
        depth = recovery.depth(self.states[: self.sound], self.values)
        start = [*self.firsts[depth:], self.tokens.starts[self.index]][0]
        broken = Broken(self.tokens.span(self.index))
        self.index = recovery.skip(failure, self.index, start)
        self.states[depth:] = [recovery.unit(self.states[depth - 1])]
        self.values[depth:] = [broken]
        self.firsts[depth:], self.heights[depth:] = [start], [0]

    def _misfit(self, index: int) -> CompileError:
        if index in self.tokens.faults:
            return self.tokens.faults[index]()
        return syntax_error(
            self.tokens, index, _acceptable(self.tables, self.states, self.complete)
        )

    def tree(self) -> ast.Node:
        """The tree of what is left. After an error `index` is the token at which it was found, and
        `sound` entries of the stacks are not part of it."""
        tokens, tables, rules, complete = self.tokens, self.tables, self.rules, self.complete
        builder = self.builder
        actions, gotos = tables.actions, tables.gotos
        states, values, firsts, heights = self.states, self.values, self.firsts, self.heights
        starts, ends = tokens.starts, tokens.ends
        state, index, size = states[-1], self.index, 0
        try:
            for index in range(self.index, len(tokens.kinds)):
                kind = tokens.kinds[index]
                shortcuts = tables.shortcuts[kind]
                while True:
                    action = actions[state].get(kind)
                    if action is None:
                        if kind == "$END" and state == complete:
                            return cast(ast.Node, values[-1])
                        size = 0
                        raise self._misfit(index)
                    if action >= 0:
                        state = action
                        states.append(state)
                        values.append(index)
                        firsts.append(starts[index])
                        heights.append(0)
                        break
                    head, size, make, splice, gathers, layout = rules[~action]
                    if (
                        make is None and not splice
                    ):  # the child is handed on, often through many rules
                        below = states[-2]
                        state = shortcuts.get((below, state), -1)
                        if state < 0:
                            state = _hand_on(tables, below, states[-1], kind)
                        states[-1] = state
                        if kind == "$END" and state == complete:
                            return cast(ast.Node, values[-1])
                        continue
                    if size == 0:  # only an empty file
                        assert make is not None
                        place = starts[index]
                        values.append(make(builder, [None], place, place))
                        firsts.append(place)
                        heights.append(0)
                    else:
                        children = values[-size:]
                        height = max(heights[-size:])
                        if splice:
                            children = _spliced(children)
                            value: Any = children
                        else:
                            if layout is not None:
                                children = [None if i < 0 else children[i] for i in layout]
                            if gathers:
                                children = _spliced(children)
                            height += 1
                            if height > MAX_HEIGHT:
                                raise _too_high(Span(tokens.source, firsts[-size], ends[index - 1]))
                            assert make is not None
                            value = make(builder, children, firsts[-size], ends[index - 1])
                        if size > 1:
                            keep = 1 - size
                            del states[keep:], values[keep:], firsts[keep:], heights[keep:]
                        values[-1] = value
                        heights[-1] = height
                    if size:
                        states.pop()
                    state = gotos[states[-1]][head]
                    states.append(state)
                    if kind == "$END" and state == complete:
                        return cast(ast.Node, values[-1])
        except CompileError:
            self.index, self.sound = index, len(states) - size
            raise
        raise AssertionError("the tokens end with $END")


def _hand_on(tables: Tables, below: int, state: int, kind: str) -> int:
    """Follow the rules that only hand their child on, and remember where that leads."""
    start = state
    while True:
        action = tables.actions[state].get(kind)
        if action is None or action >= 0:
            break
        rule = tables.rules[~action]
        if rule.action is not None or rule.splice:
            break
        state = tables.gotos[below][rule.head]
    tables.shortcuts[kind][below, start] = state
    return state


def _acceptable(tables: Tables, states: list[int], complete: int) -> set[str]:
    """The terminals that fit next. (The row of a state also has some that fail a little later.)"""
    fitting = set()
    for kind in tables.actions[states[-1]]:
        stack = list(states)
        while True:
            action = tables.actions[stack[-1]].get(kind)
            if action is None or action >= 0:
                break
            rule = tables.rules[~action]
            del stack[len(stack) - rule.size :]
            stack.append(tables.gotos[stack[-1]][rule.head])
        if action is not None or (kind == "$END" and stack[-1] == complete):
            fitting.add(kind)
    return fitting


class _Many(list[Any]):
    """The children of a repetition, which belong to the parent's list."""


def _spliced(children: list[Any]) -> _Many:
    """The children in one list; a first one that is a list grows, so that long lists are linear."""
    if children[0].__class__ is _Many:
        many: _Many = children[0]
        rest = children[1:]
    else:
        many, rest = _Many(), children
    for child in rest:
        if child.__class__ is _Many:
            many.extend(child)
        else:
            many.append(child)
    return many


def _parse_part(source: SourceFile, start: int, end: int) -> ast.Expr:
    """The expression between the braces of a string."""
    return cast(ast.Expr, parse_tokens(scan(source, start, end), "expr"))


def _too_high(span: Span) -> Exception:
    return error(
        "NN0003",
        f"this expression is more than {MAX_HEIGHT} steps deep",
        span,
        help="give an inner part a name of its own",
    )
