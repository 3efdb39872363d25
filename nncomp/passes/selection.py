"""Passes by name, and which of them run on a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.errors import did_you_mean, error
from nncomp.passes.base import Pass
from nncomp.passes.manager import LEVELS, TRAINING, OnPass, pipeline


@dataclass(frozen=True)
class Plan:
    """What is done to a graph: these passes in order. on_pass: called after each."""

    passes: tuple[Pass, ...]
    on_pass: OnPass | None = None


def plan_of(level: int | Plan, opset: int | None = None) -> Plan:
    """The plan itself, or that of -O0 to -O3: without the passes that recognise the formulas of
    operators which the opset lacks, and which would have to be written out again."""
    if isinstance(level, Plan):
        return level
    return Plan(tuple(p for p in pipeline(level) if opset is None or p.opset <= opset))


def pass_names() -> list[str]:
    """The names of all passes, in the order in which they run first."""
    return list(dict.fromkeys(p.name for passes in (*LEVELS.values(), TRAINING) for p in passes))


def named_passes(names: Sequence[str], level: int = 2) -> tuple[Pass, ...]:
    """The passes of these names, as the level has them; one that it lacks, as another level does.

    Raises CompileError NN0103 for a name that no pass has.
    """
    known: dict[str, Pass] = {}
    for passes in (pipeline(level), *reversed(LEVELS.values()), TRAINING):
        for pass_ in passes:
            known.setdefault(pass_.name, pass_)
    for name in names:
        require_pass(name)
    return tuple(known[name] for name in names)


def require_pass(name: str) -> None:
    """Raises CompileError NN0103 unless there is a pass of that name."""
    known = pass_names()
    if name not in known:
        raise error(
            "NN0103",
            f"there is no pass `{name}`",
            help=did_you_mean(name, known) or f"passes: {', '.join(known)}",
        )
