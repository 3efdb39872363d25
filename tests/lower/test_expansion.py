"""How far a program may expand: what a step is, and what is said where there are too many."""

from __future__ import annotations

import re

import pytest

from nncomp.errors import CompileError
from nncomp.limits import limited
from nncomp.lower.expansion import Expansion
from nncomp.source import SourceFile, Span
from tests.lower.programs import program

PLACE = Span(SourceFile("loop.nn", "x"), 0, 1)
STD = "from std import Linear\nfrom std.optim import Adam\n"


def _looped(*runs: int, ends_early: bool = False) -> int:
    """The steps of a loop whose runs have so many."""
    expansion = Expansion()
    expansion.steps = 5
    with expansion.loop(PLACE, len(runs), [], ends_early=ends_early):
        for steps in runs:
            with expansion.run(PLACE):
                expansion.steps += steps
    return expansion.steps - 5


def test_the_longest_run_of_a_loop_counts() -> None:
    assert _looped(3, 3, 3) == 3
    assert _looped(1, 7, 2) == 7
    assert _looped() == 0


def test_each_run_counts_of_a_loop_that_may_end_early() -> None:
    assert _looped(1, 7, 2, ends_early=True) == 10


def test_a_loop_within_a_loop_counts_as_its_longest_run() -> None:
    expansion = Expansion()
    with expansion.loop(PLACE, 2, []):
        for outer in range(2):
            with expansion.run(PLACE), expansion.loop(PLACE, 3, []):
                for inner in range(3):
                    with expansion.run(PLACE):
                        expansion.steps += 10 * outer + inner
    assert expansion.steps == 12


def test_a_body_around_does_not_repeat_nodes_but_calls() -> None:
    def run() -> None:
        expansion, nodes = Expansion(), [0]
        with (
            expansion.loop(PLACE, 50, nodes),
            expansion.run(PLACE),
            expansion.loop(PLACE, 30, []),  # in a scan, which has nodes of its own
            expansion.run(PLACE),
        ):
            nodes.append(0)

    with limited(nodes=100), pytest.raises(CompileError, match="100 calls and runs of loops"):
        run()


def _outcome(statements: str, before: str = "") -> str:
    """`passes`, or the code, where 62 steps may be made beside those for the text."""
    try:
        with limited(nodes=2_000):
            program(
                f"{STD}{before}model M {{\n  input x: f32[N, 8]\n{statements}\n  output y = x\n}}"
            )
    except CompileError as failure:
        (diagnostic,) = failure.diagnostics
        return diagnostic.code
    return "passes"


def test_calls_multiply_and_loops_do_not() -> None:
    three = "fn three(x, f) = f(f(f(x)))\n"
    nine = f"{three}fn nine(x, f) = three(three(three(x, f), f), f)\n"
    assert _outcome("  x = nine(x, tanh)", nine) == "passes"
    assert _outcome("  x = " + "nine(" * 40 + "x" + ", tanh)" * 40, nine) == "NN0004"
    assert _outcome("  for i in range(40) { x = nine(x, tanh) }", nine) == "passes"


def test_a_longer_text_may_take_more_steps() -> None:
    once = "  x = x + 1 + 2 + 3 + 4 + 5\n"
    assert _outcome(once * 300) == "passes"
    assert _outcome("  x = x" + " + 1" * 240 + "\n  x = x" + " + 1" * 240) == "NN0004"


def test_an_optimizer_goes_through_parameters_as_a_loop_does() -> None:
    layers = "  for i in range(20) { x = x |> Linear(8) }\n"
    train = "  train { minimize mean(x) by Adam(0.1) }\n"
    assert _outcome(layers + train) == "passes"


def test_what_is_called_too_often_is_named_with_both_numbers() -> None:
    tree = "fn tree(x, n) = x if n == 0 else tree(x, n - 1)" + " + tree(x, n - 1)" * 4 + "\n"
    with pytest.raises(CompileError) as caught:
        program(f"{tree}model M {{ input x: f32[N]\n output y = tree(x, 8) }}")
    text = caught.value.diagnostics[0].render()
    assert "over 6,310 operations and calls, not counting what loops repeat" in text
    assert re.search(r"`tree` is called [1-9],\d\d\d times so far", text)
