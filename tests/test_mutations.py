"""No input gives a traceback, hangs, or is refused without a place; `fmt` keeps what is meant.

Each damaged program goes through parser, formatter and lowering, gradients and shapes included.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.driver.programs import graphs
from nncomp.errors import CompileError
from nncomp.limits import limited
from nncomp.lower.program import Program, lower, models
from nncomp.source import SourceFile
from nncomp.syntax import ast_equal, format_source, parse
from tests.mutations import Mutator

PATIENCE = 20  # processor seconds for one program: a hundred times what the slowest takes
MOST_NODES = 2_000  # the largest of the good programs has 300; what grows beyond is only slow
PLACELESS = ("NN0306",)  # what a file lacks stands nowhere in it


@contextmanager
def _patience(text: str) -> Iterator[None]:
    def give_up(*_: Any) -> None:
        raise TimeoutError(f"over {PATIENCE} s:\n{text}")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def survives(text: str) -> None:
    """It compiles, or is refused with places."""
    source = SourceFile("t.nn", text)
    try:
        tree = parse(source)
        formatted = format_source(source)
        assert ast_equal(tree, parse(SourceFile("t.nn", formatted))), "fmt changed the meaning"
        assert format_source(SourceFile("t.nn", formatted)) == formatted, "fmt is not idempotent"
        for name in models(source):
            _differentiate(lower(source, name))
    except CompileError as failure:
        for found in failure.diagnostics:
            assert found.render()
            if found.span is None:
                assert found.code in PLACELESS, found.render()
                continue
            assert 0 <= found.span.start <= found.span.end <= len(found.span.source.text) + 1


def _differentiate(program: Program) -> None:
    for graph in graphs(program):
        expand_gradients(graph)


def _campaign(seed: int, count: int) -> None:
    mutator = Mutator(seed)
    for number in range(count):
        text = mutator.program()
        try:
            with _patience(text), limited(nodes=MOST_NODES):
                survives(text)
        except Exception as failure:
            raise AssertionError(f"program {number} of seed {seed}:\n{text}") from failure


@pytest.mark.parametrize("seed", range(10))
def test_damaged_programs(seed: int) -> None:
    _campaign(seed, 500)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_damaged_programs(seed: int) -> None:
    _campaign(seed, 1000)
