"""Summaries as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nncomp.inspect.machines import Machine
from nncomp.inspect.operators import machine_cells, machine_columns
from nncomp.inspect.summary import BlockSummary, Summary
from nncomp.inspect.tables import Column, Table, counted, print_table
from nncomp.inspect.units import shape, short_count, size

if TYPE_CHECKING:
    from rich.console import Console


def block_table(summary: Summary, depth: int | None = 2, machine: Machine | None = None) -> Table:
    """A row for each block.

    depth: how many levels of blocks it has; None for all
    machine: that the summary was made for
    """
    buffers = [Column("buffers", show=counted)] if summary.buffers else []
    columns = [
        Column("block", show=_indented, number=False),
        Column("output", show=shape, number=False),
        Column("parameters", show=counted),
        *buffers,
        Column("flops", "FLOPs", short_count),
        Column("activations", show=size),
        *(machine_columns() if machine else []),
    ]

    def row(block: BlockSummary) -> tuple[Any, ...]:
        return (
            block.path or "total",
            block.output,
            block.parameters,
            *([block.buffers] if buffers else []),
            block.flops,
            block.activations,
            *(machine_cells(block.work) if machine else ()),
        )

    rows = [
        row(block)
        for block in summary.blocks
        if block.depth and (depth is None or block.depth <= depth)
    ]
    rows.append(row(summary.blocks[0]))
    return Table(summary.name, tuple(columns), tuple(rows), (_totals_line(summary),), total=True)


def pass_table(summary: Summary) -> Table:
    """What each pass changed, rule by rule."""
    columns = (
        Column("pass", number=False),
        Column("nodes"),
        Column("changed", "what it changed", number=False, wrap=True),
    )
    rows = [
        (
            p.name,
            f"{p.before} → {p.after}",
            ", ".join(f"{rule} ×{times}" for rule, times in p.rules.items()),
        )
        for p in summary.passes
    ]
    notes = []
    if summary.optimized is not None:
        after, before = summary.optimized, summary.totals
        notes.append(
            f"optimised: {after.nodes} nodes, {short_count(after.flops)} FLOPs, "
            f"{size(after.read + after.written)} of memory traffic "
            f"(before: {size(before.read + before.written)})"
        )
    return Table("passes", columns, tuple(rows), tuple(notes))


def print_summary(summary: Summary, console: Console | None = None, depth: int | None = 2) -> None:
    """Prints the blocks, down to a depth, and what each pass changed."""
    print_table(block_table(summary, depth), console)
    if summary.passes:
        print_table(pass_table(summary), console)


def _indented(path: str) -> str:
    """A block below the one that holds it; a number alone would say little."""
    before, _, name = path.rpartition(".")
    return "  " * path.count(".") + (path if before and name.isdigit() else name)


def _totals_line(summary: Summary) -> str:
    parts = [f"{summary.parameters:,} trainable parameters"]
    if summary.buffers:
        parts.append(f"{summary.buffers:,} numbers in buffers")
    if summary.state:
        parts.append(f"{summary.state:,} in optimiser state")
    parts.append(f"{summary.nodes} nodes")
    parts.append(f"{short_count(summary.flops)} FLOPs (a multiply-add is two)")
    return ", ".join(parts)
