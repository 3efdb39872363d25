"""How far a program may expand: what bounds the calls, loops and nodes of one graph.

A loop that would pass the limit at the rate of its runs so far is refused at once, not when it has;
after a few calls the text is asked, too (`foresight.py`). What calls itself has less room than the
rest: a network seldom does, and one that does so twice at each level doubles with each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from nncomp.errors import CompileError, Note, error
from nncomp.limits import limits
from nncomp.lower.sites import nodes
from nncomp.source import Span
from nncomp.syntax import ast

_Given = TypeVar("_Given")
DEEP = 12  # levels of calls and loops: beyond, there is room for few, since what doubles at each
MAX_DEEP_WORK = 5_000  # level would go on for ever. The deepest model here has eight
MAX_LOOKED_AT = 500_000  # items of lists and texts
_FEW = 1_000  # calls and runs of loops: a program that makes more is worth looking through
_EARLY = 100  # at this part of the limit the rate of a loop counts
_PART = 40  # what calls itself has this part of the limit


@dataclass(eq=False)
class _Loop:
    """A static loop around the point of execution.

    made: the nodes of the graph, or of the body of a `scan`, that it adds to
    nodes, work: how many there were before it
    done: runs, with the present one
    """

    node: ast.For | ast.ForClause
    runs: int
    made: Sized
    nodes: int
    work: int
    done: int = 0

    @cached_property
    def left(self) -> int:
        """How many runs are sure to follow the first; none where a `return` may end the loop."""
        return 0 if any(isinstance(n, ast.Return) for n in nodes(self.node)) else self.runs


@dataclass(frozen=True)
class Growth:
    """By how much a part of the program expands a graph, beside its nodes.

    depth: of calls and loops around it
    """

    depth: int
    work: int
    deep_work: int
    looked_at: int
    taken: frozenset[tuple[int, bool]]


class Expansion:
    """What one graph has expanded to so far.

    foresee: is called once there is much of it; raises NN0004 if there will be too much
    most: nodes; and calls and runs of loops
    taken: the branches taken, each the id of its node and whether its condition held
    """

    def __init__(self, foresee: Callable[[Expansion], None]) -> None:
        self._foresee = foresee
        self.most = limits().nodes
        self.taken: set[tuple[int, bool]] = set()
        self._recursive: Counter[ast.Decl] = Counter()
        self.depth = self._work = self._deep_work = self._looked_at = 0
        self._loops: list[_Loop] = []

    def enter(self, span: Span | None) -> None:
        """Counts a call or a run of a loop. What is in it lies before `leave`, which is called
        after an error too."""
        self.depth += 1
        self._deep_work += self.depth > DEEP
        self._add(1, span)
        if self._deep_work > MAX_DEEP_WORK:
            raise error(
                "NN0004",
                f"the program expands to over {MAX_DEEP_WORK:,} calls and runs of loops "
                f"that are {DEEP} deep",
                span,
            )

    def leave(self) -> None:
        """After a call or a run of a loop."""
        self.depth -= 1

    def _add(self, work: int, span: Span | None) -> None:
        self._work += work
        if self._work > self.most:
            raise self.too_much("calls and runs of loops", span)
        if self._work >= _FEW > self._work - work:
            self._foresee(self)

    def measured(self, run: Callable[[], _Given]) -> tuple[_Given, Growth]:
        """What a part of the program gives, and by how much it expands the graph."""
        taken, self.taken = self.taken, set()
        work, deep_work, looked_at = self._work, self._deep_work, self._looked_at
        try:
            given = run()
        finally:
            own, self.taken = self.taken, taken
            taken |= own
        return given, Growth(
            self.depth,
            self._work - work,
            self._deep_work - deep_work,
            self._looked_at - looked_at,
            frozenset(own),
        )

    def grow(self, by: Growth, span: Span | None) -> None:
        """Counts what such a part would add."""
        self.taken |= by.taken
        self._add(by.work, span)
        self.look_through(by.looked_at, span)

    def recur(self, decl: ast.Decl, depth: int, span: Span | None) -> None:
        """Counts a call of what is being called already, `depth` times."""
        self._recursive[decl] += 1
        most = self.most // _PART
        if self._recursive.total() > most:
            name = decl.name.text
            times = self._recursive[decl]
            raise error(
                "NN0004",
                f"the program expands to over {most:,} calls of what calls itself",
                span,
                f"`{name}` within itself, {depth} deep",
                notes=[Note(f"{times:,} of them are calls of `{name}`", decl.name.span)],
                help="call it once at each level, or repeat it with `for`; "
                "--max-nodes raises the limit",
            )

    def branch(self, node: ast.Node, holds: bool) -> bool:
        """Takes note of how the condition of a node came out, and returns it."""
        self.taken.add((id(node), holds))
        return holds

    def look_through(self, items: int, span: Span | None) -> None:
        """Counts the items of lists and texts that are made, compared or taken apart."""
        self._looked_at += items
        if self._looked_at > MAX_LOOKED_AT:
            raise error(
                "NN0004",
                f"the program goes through over {MAX_LOOKED_AT:,} items of lists and texts",
                span,
            )

    def room_for(self, count: int, made: Sized, span: Span | None) -> None:
        """Raises NN0004 if that many nodes more are too many."""
        if len(made) + count > self.most:
            raise self.too_much("nodes", span)

    @contextmanager
    def loop(self, node: ast.For | ast.ForClause, runs: int, made: Sized) -> Iterator[None]:
        """Around a loop. Raises NN0004 where it would pass the limit."""
        loop = _Loop(node, runs, made, len(made), self._work)
        self._loops.append(loop)
        try:
            if self._work + runs > self.most and loop.left:
                raise self.too_much("calls and runs of loops", node.iterable.span)
            yield
        finally:
            self._loops.pop()

    @contextmanager
    def run(self, number: int, span: Span) -> Iterator[None]:
        """Around a run of the innermost loop. Raises NN0004 where the loop would pass the limit."""
        loop = self._loops[-1]
        loop.done = number + 1
        try:
            self.enter(span)
            yield
        finally:
            self.leave()
        if max(self._work, len(loop.made)) * _EARLY > self.most:
            self._project(loop.made)

    def _project(self, made: Sized) -> None:
        """Where the loops around lead if all runs are like those so far."""
        count, work = len(made), self._work
        for loop in reversed(self._loops):
            if loop.made is not made:
                break
            more = max(0, loop.left - loop.done)
            count += (count - loop.nodes) * more // loop.done
            work += (work - loop.work) * more // loop.done
            if max(count, work) > self.most:
                what = "nodes" if count > self.most else "calls and runs of loops"
                raise self.too_much(what, loop.node.iterable.span, loop)

    def too_much(self, what: str, span: Span | None, loop: _Loop | None = None) -> CompileError:
        """The error for a program that is too large; `loop` would make it so."""
        notes = []
        if loop is not None:
            notes.append(
                Note(f"so it would after {loop.runs:,} runs of this loop like those so far")
            )
        return error(
            "NN0004",
            f"the program expands to over {self.most:,} {what}",
            span,
            notes=notes,
            help="a `scan` keeps one copy of its body, however often it runs; "
            "--max-nodes raises the limit",
        )
