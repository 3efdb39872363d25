"""Measured time as tables: by block, by operator, by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nncomp.inspect.cost import cost
from nncomp.inspect.families import family
from nncomp.inspect.tables import Column, Table, share
from nncomp.inspect.units import duration, short_count
from nncomp.ir.graph import Graph, Node


@dataclass(frozen=True)
class Part:
    """What a runtime runs for a node: its operator there, and its seconds. nodes: how many of the
    graph it does the work of; 0 if it serves the node only, as a reorder does."""

    operator: str
    seconds: float
    nodes: int


@dataclass
class _Group:
    """Nodes together. runs: which operators the runtime runs for them, and how many"""

    name: str
    nodes: int = 0
    seconds: float = 0.0
    flops: int = 0
    runs: Counter[str] = field(default_factory=Counter)

    def add(self, parts: Sequence[Part], flops: int) -> None:
        self.nodes += 1
        self.seconds += sum(part.seconds for part in parts)
        self.flops += flops
        self.runs.update(part.operator for part in parts)

    def cells(self, whole: float) -> tuple[Any, ...]:
        """Those of the columns that all tables have."""
        rate = self.flops / self.seconds if self.flops and self.seconds else None
        runs = ", ".join(f"{n} ×{k}" if k > 1 else n for n, k in self.runs.most_common())
        return self.seconds, self.seconds / whole if whole else 0.0, rate, runs or None


def _rate(flops: float) -> str:
    return f"{short_count(round(flops))}FLOP/s"


_COMMON = (
    Column("seconds", "time", duration),
    Column("share", "share", share),
    Column("flops_per_second", "speed", _rate),
    Column("runs_as", "runs as", number=False, wrap=True),
)


class Latency:
    """The time of each node of a graph.

    parts: what ran for each; seconds: of all that ran, `parts` or not
    sizes: of symbolic dims in that run
    """

    def __init__(
        self,
        graph: Graph,
        parts: Mapping[Node, Sequence[Part]],
        seconds: float,
        sizes: Mapping[str, int],
    ) -> None:
        spent = cost(graph, sizes).nodes
        self._rows = [
            (node, parts.get(node, ()), 0 if spent[node].once else spent[node].flops)
            for node in graph.nodes
            if node in parts or not spent[node].once
        ]
        known = sum(part.seconds for _, found, _ in self._rows for part in found)
        self._seconds = seconds
        at = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        self._notes = (
            f"onnxruntime on the CPU: {duration(seconds)}{f' at {at}' if at else ''}, "
            f"{share(known / seconds if seconds else 1.0)} of it told by node",
        )

    def by_operator(self) -> Table:
        """A row for each operator, the dearest first."""
        groups: dict[str, _Group] = {}
        families: dict[str, str] = {}
        for node, parts, flops in self._rows:
            families[node.op.name] = family(node.op)
            groups.setdefault(node.op.name, _Group(node.op.name)).add(parts, flops)
        columns = (
            Column("operator", number=False),
            Column("family", number=False),
            Column("nodes"),
            *_COMMON,
        )
        rows = [
            (g.name, families[g.name], g.nodes, *g.cells(self._seconds))
            for g in sorted(groups.values(), key=lambda g: (-g.seconds, g.name))
        ]
        return self._table("time by operator", columns, rows)

    def by_block(self, depth: int | None = None) -> Table:
        """A row for each block with all that is in it, in the order in which they run.

        depth: how many levels of blocks there are; all without it
        """
        groups: dict[str, _Group] = {}
        for node, parts, flops in self._rows:
            path = node.origin.scope.split(".") if node.origin.scope else []
            for level in range(1, len(path[:depth]) + 1):
                name = ".".join(path[:level])
                groups.setdefault(name, _Group(name)).add(parts, flops)
            if not path:
                groups.setdefault("", _Group("")).add(parts, flops)
        columns = (Column("block", number=False), Column("nodes"), *_COMMON)
        rows = [
            (g.name or None, g.nodes, *g.cells(self._seconds))
            for g in sorted(groups.values(), key=lambda g: _place(g.name, list(groups)))
        ]
        return self._table("time by block; a block holds those below it", columns, rows)

    def by_node(self) -> Table:
        """A row for each node, in the order in which they run."""
        columns = (
            Column("node"),
            Column("operator", number=False),
            Column("block", number=False),
            *_COMMON,
        )
        rows = []
        for number, (node, parts, flops) in enumerate(self._rows):
            group = _Group(node.op.name)
            group.add(parts, flops)
            rows.append((number, group.name, node.origin.scope, *group.cells(self._seconds)))
        return Table("time by node", columns, tuple(rows), self._notes)

    def _table(self, title: str, columns: tuple[Column, ...], rows: list[tuple[Any, ...]]) -> Table:
        whole = _Group("total")
        for _, parts, flops in self._rows:
            whole.add(parts, flops)
        whole.runs.clear()
        blanks = (None,) * (len(columns) - len(_COMMON) - 2)
        total = ("total", *blanks, whole.nodes, *whole.cells(self._seconds))
        return Table(title, columns, (*rows, total), self._notes, total=True)


def _place(name: str, known: list[str]) -> tuple[int, ...]:
    """Where a block comes: each behind the one that holds it, else by which came first; what is in
    no block comes last."""
    if not name:
        return (len(known),)
    parts = name.split(".")
    return tuple(known.index(".".join(parts[: i + 1])) for i in range(len(parts)))
