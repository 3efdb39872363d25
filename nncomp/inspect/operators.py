"""The cost of a graph by operator, and what a machine would take for it at best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nncomp.inspect.cost import Cost, NodeCost
from nncomp.inspect.families import family
from nncomp.inspect.machines import Machine
from nncomp.inspect.tables import Column, Table, measured, share
from nncomp.inspect.units import duration, short_count, size
from nncomp.ir.graph import Node


@dataclass
class Group:
    """Nodes together: of one operator, or of one block. seconds: at best, each node after the
    other; bound: of those, the ones in which memory is what takes the time"""

    name: str = ""
    nodes: int = 0
    flops: int = 0
    moved: int = 0
    seconds: float = 0.0
    bound: float = 0.0

    def add(self, cost: NodeCost, machine: Machine | None) -> None:
        """Another node."""
        moved = cost.read + cost.written
        self.nodes += 1
        self.flops += cost.flops
        self.moved += moved
        if machine is not None:
            seconds = machine.seconds(cost.flops, moved)
            self.seconds += seconds
            if cost.flops < machine.ridge * moved:
                self.bound += seconds

    @property
    def limit(self) -> str | None:
        """What takes the most of its time."""
        if not self.seconds:
            return None
        return "memory" if self.bound > self.seconds / 2 else "compute"

    @property
    def intensity(self) -> float | None:
        """Operations per byte."""
        return self.flops / self.moved if self.moved else None


def running(costs: Cost) -> list[tuple[Node, NodeCost]]:
    """The nodes that each run computes."""
    return [(node, cost) for node, cost in costs.nodes.items() if not cost.once]


def by_operator(costs: Cost, machine: Machine | None = None) -> Table:
    """A row for each operator, the dearest first."""
    groups: dict[str, Group] = {}
    families: dict[str, str] = {}
    total = Group("total")
    for node, cost in running(costs):
        name = node.op.name
        families[name] = family(node.op)
        for group in (groups.setdefault(name, Group(name)), total):
            group.add(cost, machine)
    ordered = sorted(groups.values(), key=lambda g: (-g.seconds, -g.flops, -g.moved, g.name))
    columns = [
        Column("operator", number=False),
        Column("family", number=False),
        Column("nodes"),
        Column("flops", "FLOPs", short_count),
        Column("flops_share", "share", share),
        Column("bytes", "moved", size),
        Column("intensity", "FLOPs/byte", measured),
    ]
    rows: list[tuple[Any, ...]] = [
        (
            g.name,
            families.get(g.name),
            g.nodes,
            g.flops,
            g.flops / total.flops if total.flops else 0.0,
            g.moved,
            g.intensity,
        )
        for g in (*ordered, total)
    ]
    if machine is not None:
        columns += machine_columns()
        rows = [(*row, *machine_cells(g)) for row, g in zip(rows, (*ordered, total), strict=True)]
    return Table("operators", tuple(columns), tuple(rows), total=True)


def machine_columns() -> list[Column]:
    """What a machine adds to a table."""
    return [Column("seconds", "at best", duration), Column("bound", "bound by", number=False)]


def machine_cells(group: Group) -> tuple[float, str | None]:
    """The cells of a group in `machine_columns`."""
    return group.seconds, group.limit


def machine_totals(machine: Machine, before: Cost, after: Cost | None = None) -> list[str]:
    """What the machine is, and what it would take at best for a run, as written and optimised."""
    source = f" ({machine.source})" if machine.source else ""
    times = [
        f"{duration(sum(machine.seconds(c.flops, c.read + c.written) for _, c in running(costs)))} "
        f"{title}"
        for costs, title in ((before, "as written"), (after, "optimised"))
        if costs is not None
    ]
    return [
        f"{machine.name}: {short_count(round(machine.flops))}FLOP/s, "
        f"{short_count(round(machine.bandwidth))}B/s{source}",
        f"a run at best: {', '.join(times)} (roofline: of each node its arithmetic or its memory "
        "traffic, whichever takes longer)",
    ]
