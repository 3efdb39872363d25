"""The reports of `nncomp inspect`, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nncomp.driver.compiling import compiled_step, section_of
from nncomp.driver.showing import Shown, inference_of, sizes_for
from nncomp.inspect.machines import Machine
from nncomp.inspect.memory import memory, memory_table, timeline
from nncomp.inspect.opened import opened
from nncomp.inspect.operators import by_operator, machine_totals
from nncomp.inspect.printing import block_table, pass_table
from nncomp.inspect.receptive import receptive_table
from nncomp.inspect.summary import Summary, summarize
from nncomp.inspect.tables import Table
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program
from nncomp.passes.selection import Plan


@dataclass(frozen=True)
class Report:
    """shown: the tables for people; csv: the one that is written as CSV
    data: those for machines, by name; numbers: what else a machine is told"""

    shown: tuple[Table, ...]
    csv: Table
    data: Mapping[str, Table]
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Lists of rows, by the names of the tables."""
        return {**self.numbers, **{name: table.to_json() for name, table in self.data.items()}}


@dataclass(frozen=True)
class Inspected(Shown):
    """The same, told in tables. `result` is None for a training step, optimised already."""

    @property
    def final(self) -> Graph:
        """The graph that runs."""
        return self.graph if self.result is None else self.result.graph

    def summary(self, machine: Machine | None = None) -> Summary:
        """By block."""
        return summarize(self.graph, self.result, self.sizes, machine)

    def costs(self, by: str, machine: Machine | None, depth: int | None) -> Report:
        """By "block" or "operator", and what the passes changed."""
        summary = self.summary(machine)
        first = block_table(summary, depth, machine)
        if by == "operator":
            first = by_operator(opened(self.graph).cost(self.sizes), machine)
        notes = first.notes
        if machine is not None:
            graphs = [self.graph, *([] if self.result is None else [self.result.graph])]
            costs = [opened(graph).cost(self.sizes) for graph in graphs]
            notes = (*notes, *machine_totals(machine, *costs))
        first = Table(first.title, first.columns, first.rows, notes, first.total)
        shown = (first, *([pass_table(summary)] if summary.passes else []))
        numbers = summary.to_json()
        if by == "operator":
            return Report(shown, first, {"operators": first}, numbers)
        return Report(shown, first, {}, numbers)

    def memory(self) -> Report:
        """What is alive when, of the graph that runs."""
        found = memory(self.final, self.sizes)
        numbers = {"peak": found.peak, "state": found.state}
        held = memory_table(found)
        times = timeline(found)
        return Report((held,), times, {"timeline": times, "held": held}, numbers)

    def receptive_field(self) -> Report:
        """What convolutions and pooling see of the input."""
        table = receptive_table(self.graph, self.sizes)
        return Report((table,), table, {"layers": table})


def inspected(
    program: Program,
    *,
    entry: str | None = None,
    training: bool = False,
    section: str | None = None,
    level: int | Plan = 2,
    batch_size: int = 1,
    sizes: Mapping[str, int] | None = None,
) -> Inspected:
    """The inference graph, that of an entry, or the training step.

    sizes: of symbolic dims by name; first axes of inputs are `batch_size`, others count as their
        least
    Raises CompileError NN0306, NN0401, NN0403; NN0103 for a size of no dim.
    """
    if training:
        step = compiled_step(section_of(program, section)[1]).step
        return Inspected(step, None, sizes_for(step, batch_size, sizes))
    shown = inference_of(program, entry=entry, level=level, batch_size=batch_size, sizes=sizes)
    return Inspected(shown.graph, shown.result, shown.sizes)
