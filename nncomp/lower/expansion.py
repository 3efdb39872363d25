"""How far a program may expand: what bounds the calls, loops and nodes of one graph.

What is too much is to be refused long before it is there. A loop is, as soon as it would pass the
limit at the rate of its runs so far. What no loop repeats is written down, or made by fns and
blocks that call others several times at each of several levels, which grows fast and without a
rate. So there is a limit for it that lies lower, and higher for a longer text: the *steps* of a
program, which are what it would do if each loop had one run, its longest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from nncomp.errors import CompileError, Note, error
from nncomp.limits import limits
from nncomp.source import Span
from nncomp.syntax import ast

_Given = TypeVar("_Given")
MAX_LOOKED_AT = 500_000  # items of lists and texts
_EARLY = 100  # at this part of the limit the rate of a loop counts
_STEPS = 32  # this part of the limit of nodes are the steps that there may be, beside
STEPS_OF_A_LINE = 20  # of text. Of the models here GoogLeNet has most: 3,600 steps in 59 lines


@dataclass(eq=False)
class _Loop:
    """A static loop around the point of execution.

    span: what it runs over
    runs: how many it has
    ends_early: whether a `return` may end it, so that no run is sure to follow the first
    made: the nodes of the graph, or of the body of a `scan`, that it adds to
    nodes, work: how many there were before it
    done: runs, with the present one
    longest: the steps of the run that has most
    """

    span: Span
    runs: int
    ends_early: bool
    made: Sized
    nodes: int
    work: int
    done: int = 0
    longest: int = 0


@dataclass(frozen=True)
class Growth:
    """By how much a part of the program expands a graph, beside its nodes. called: how often what
    is called in it"""

    called: Counter[ast.Decl]
    work: int
    steps: int
    looked_at: int


class Expansion:
    """What one graph has expanded to so far.

    most: nodes; and calls and runs of loops
    steps: operations and calls, of each loop those of its longest run; most_steps: there may be
    """

    def __init__(self) -> None:
        self.most = limits().nodes
        self.steps = 0
        self.most_steps = self.most // _STEPS
        self._called: Counter[ast.Decl] = Counter()
        self._work = self._looked_at = 0
        self._loops: list[_Loop] = []

    def called(self, decl: ast.Decl, span: Span | None) -> None:
        """Counts a call."""
        self._call(decl, 1)
        self._add(1, span)

    def _call(self, decl: ast.Decl, times: int) -> None:
        if decl not in self._called:
            self.read(decl)
        self._called[decl] += times

    def read(self, decl: ast.Decl) -> None:
        """A longer text may take more steps."""
        self.most_steps += STEPS_OF_A_LINE * (1 + decl.span.text.count("\n"))

    def _add(self, work: int, span: Span | None) -> None:
        self._work += work
        if self._work > self.most:
            raise self.too_much("calls and runs of loops", span)

    def measured(self, run: Callable[[], _Given]) -> tuple[_Given, Growth]:
        """What a part of the program gives, and by how much it expands the graph."""
        called, work = self._called.copy(), self._work
        steps, looked_at = self.steps, self._looked_at
        given = run()
        return given, Growth(
            self._called - called,
            self._work - work,
            self.steps - steps,
            self._looked_at - looked_at,
        )

    def grow(self, by: Growth, span: Span | None) -> None:
        """Counts what such a part would add."""
        for decl, times in by.called.items():
            self._call(decl, times)
        self._add(by.work, span)
        self.steps += by.steps
        if self.steps > self.most_steps:
            raise self.too_many_steps(span)
        self.look_through(by.looked_at, span)

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
    def loop(
        self, span: Span, runs: int, made: Sized, *, ends_early: bool = False
    ) -> Iterator[None]:
        """Around a loop. Raises NN0004 where it would pass the limit."""
        loop = _Loop(span, runs, ends_early, made, len(made), self._work)
        self._loops.append(loop)
        try:
            if self._work + runs > self.most and not ends_early:
                raise self.too_much("calls and runs of loops", span)
            yield
        finally:
            self._loops.pop()
            self.steps += loop.longest

    @contextmanager
    def run(self, span: Span) -> Iterator[None]:
        """Around a run of the innermost loop. Raises NN0004 where the loop would pass the limit."""
        loop = self._loops[-1]
        loop.done += 1
        self._add(1, span)
        before = self.steps
        yield
        if not loop.ends_early:
            loop.longest = max(loop.longest, self.steps - before)
            self.steps = before
        if max(self._work, len(loop.made)) * _EARLY > self.most:
            self._project(loop.made)

    def _project(self, made: Sized) -> None:
        """Where the loops around lead if all runs are like those so far."""
        count, work = len(made), self._work
        for loop in reversed(self._loops):
            more = 0 if loop.ends_early else max(0, loop.runs - loop.done)
            if loop.made is made:  # what is around a `scan` does not repeat its nodes
                count += (count - loop.nodes) * more // loop.done
            work += (work - loop.work) * more // loop.done
            if max(count, work) > self.most:
                what = "nodes" if count > self.most else "calls and runs of loops"
                again = f"so it would after {loop.runs:,} runs of this loop like those so far"
                raise self.too_much(what, loop.span, again)

    def too_many_steps(self, span: Span | None) -> CompileError:
        """The error for a program that has too many without repeating them by a loop."""
        notes = []
        if self._called:
            decl, times = self._called.most_common(1)[0]
            name = decl.name.text
            notes = [Note(f"`{name}` is called {times:,} times so far", decl.name.span)]
        return error(
            "NN0004",
            f"the program expands to over {self.most_steps:,} operations and calls, not counting "
            "what loops repeat",
            span,
            notes=notes,
            help="call a fn or block once at each level, or repeat it with `for`; "
            "--max-nodes raises the limit",
        )

    def too_much(self, what: str, span: Span | None, note: str = "") -> CompileError:
        """The error for a program that is too large."""
        return error(
            "NN0004",
            f"the program expands to over {self.most:,} {what}",
            span,
            notes=[Note(note)] if note else [],
            help="a `scan` keeps one copy of its body, however often it runs; "
            "--max-nodes raises the limit",
        )
