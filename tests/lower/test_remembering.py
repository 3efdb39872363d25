"""What blocks of the library gave before: the same errors and types, without running them again."""

from __future__ import annotations

from typing import Any

import pytest

from nncomp.errors import CompileError
from nncomp.limits import limited
from nncomp.lower.context import Context
from nncomp.lower.loading import Loaded
from nncomp.lower.program import Program, lower
from nncomp.lower.remembering import Memory
from nncomp.source import SourceFile
from nncomp.syntax import ast

TEXT = """from std import BatchNorm, Conv, Dropout, Linear
from std.optim import SGD

model M {
  input image: f32[N, 3, H, W]
  x = image |> Conv(8, 3, pad=1) as first |> BatchNorm() |> relu
  x = x |> Conv(8, 3, pad=1) as second |> BatchNorm() as norm |> Dropout(0.1)
  output y = x |> global_avg_pool |> flatten |> Linear(10)

  train {
    input label: i64[N]
    minimize cross_entropy(y, label) by SGD(lr=0.1)
  }
}
"""


class Counter:
    """Counts the expressions of the standard library that are evaluated."""

    def __init__(self) -> None:
        self.count = 0

    def value(self, ctx: Context, expr: ast.Expr, value: Any) -> None:
        self.count += ctx.frame.module.is_std

    def bound(self, ctx: Context, statement: ast.Stmt) -> None:
        pass


def lowered(text: str, memory: Memory | None) -> tuple[Program, int]:
    """The program, and how much of the library was run for it."""
    counter = Counter()
    return lower(Loaded(SourceFile("m.nn", text), counter), memory=memory), counter.count


def types(program: Program) -> dict[str, list[str]]:
    """Those of all results and parameters, by graph."""
    graphs = {"": program.graph, "initial": program.initial}
    for name, section in program.train.items():
        graphs |= {name: section.step, f"{name}.eval": section.evaluation}
    return {
        name: [
            *(f"{n}: {v.type}" for n, v in graph.outputs.items()),
            *(f"{n}: {v.type}" for n, v in graph.updates.items()),
            *(f"{p.path}: {p.kind} {p.value.type}" for p in graph.parameters),
        ]
        for name, graph in graphs.items()
    }


def test_the_same_types_without_running_it_again() -> None:
    memory = Memory()
    fresh, _ = lowered(TEXT, None)
    first, all_of_it = lowered(TEXT, memory)
    again, rest = lowered(TEXT, memory)
    assert types(first) == types(again) == types(fresh)
    assert rest < all_of_it / 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Linear(10)", "Linear(0 - 1)"),
        ("as second", "as first"),
        ("8, 3, pad=1) as second", "8, 3, groups=3) as second"),
        ("i64[N]", "f32[N]"),
        ("BatchNorm() as norm", "BatchNorm(8, 9) as norm"),
        ("x = x |> Conv", "assert H == 3\n  x = x |> Conv"),
    ],
)
def test_the_same_errors(old: str, new: str) -> None:
    memory, text = Memory(), TEXT.replace(old, new)
    lowered(TEXT, memory)
    assert _outcome(text, memory) == _outcome(text, None)


def test_shared_weights_must_fit_still() -> None:
    text = """from std import Linear

model M {
  input a: f32[N, 4]
  input b: f32[N, 5]
  head = Linear(3)
  output c = head(a)
  output d = head(b)
}
"""
    memory = Memory()
    lowered(text.replace("5", "4"), memory)
    assert "NN0304" in _outcome(text, memory)
    assert _outcome(text, memory) == _outcome(text, None)


def test_limits_count_what_was_not_run() -> None:
    text = """from std import Linear

model M {
  input x: f32[N, 4]
  for i in range(40) {
    x = x |> Linear(4) |> relu
  }
  output x
}
"""
    memory = Memory()
    with limited(nodes=100):
        for _ in range(2):
            assert "NN0004" in _outcome(text, memory)
            assert _outcome(text, memory) == _outcome(text, None)


def _outcome(text: str, memory: Memory | None) -> str:
    try:
        return str(types(lowered(text, memory)[0]))
    except CompileError as failure:
        return str(failure)
