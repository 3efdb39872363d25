"""What a check of passes found: as data, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nncomp.dims import Symbol
from nncomp.equivalence.compare import SAME, Difference
from nncomp.equivalence.coverage import Side
from nncomp.equivalence.cutting import Piece
from nncomp.source import Span

NUMPY, FLOAT64, RUNTIME = "NumPy", "NumPy in float64", "onnxruntime"


@dataclass
class PassCheck:
    """What one pass did and how far it moved the answers, at most, by who computed them.

    rounding: whether float32 moved by more than the bound, while the formulas agree in float64
    """

    name: str
    rewrites: Mapping[str, int]
    nodes: tuple[int, int]
    moved: dict[str, Difference] = field(default_factory=dict)
    rounding: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.moved)

    def note(self, judge: str, found: Difference) -> None:
        if found.size >= self.moved.get(judge, SAME).size:
            self.moved[judge] = found

    def to_json(self) -> dict[str, Any]:
        return {
            "pass": self.name,
            "rewrites": dict(self.rewrites),
            "nodes_before": self.nodes[0],
            "nodes_after": self.nodes[1],
            "moved": {judge: _number(found.size) for judge, found in self.moved.items()},
            "rounding": self.rounding,
        }


@dataclass(frozen=True, eq=False)
class Fault:
    """The first pass that changes an answer, and its rewrite.

    judge: by whom it shows; difference: of which output, and how far
    rewrites: how many of the pass are right before it
    span: a line of the source that the rewritten nodes come from
    piece, after: the smallest graph that shows it, and what the pass makes of it; None if only the
        whole graph does
    """

    pass_name: str
    rule: str
    judge: str
    difference: Difference
    sizes: Mapping[Symbol, int]
    style: str
    rewrites: int
    span: Span | None = None
    piece: Piece | None = None
    after: Piece | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "pass": self.pass_name,
            "rule": self.rule,
            "judge": self.judge,
            "output": self.difference.output,
            "difference": _number(self.difference.size),
            "sizes": {s.name: size for s, size in self.sizes.items()},
            "numbers": self.style,
            "rewrites_before": self.rewrites,
            "source": None if self.span is None else str(self.span),
            "piece_nodes": None if self.piece is None else self.piece.size,
        }


@dataclass
class Report:
    """A check of passes, one after another.

    runs: the sizes and styles of the numbers that graphs were run on
    sides, unseen: of the branches of the graph as it is written
    notes: what could not be looked at, and why
    """

    name: str
    passes: list[PassCheck] = field(default_factory=list)
    runs: list[tuple[Mapping[Symbol, int], str]] = field(default_factory=list)
    sides: int = 0
    unseen: list[Side] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fault: Fault | None = None

    @property
    def equal(self) -> bool:
        return self.fault is None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "equal": self.equal,
            "runs": [
                {"sizes": {s.name: size for s, size in sizes.items()}, "numbers": style}
                for sizes, style in self.runs
            ],
            "sides": self.sides,
            "sides_unseen": [side_text(side) for side in self.unseen],
            "passes": [check.to_json() for check in self.passes],
            "notes": self.notes,
            "fault": None if self.fault is None else self.fault.to_json(),
        }


def side_text(side: Side) -> str:
    """`Clip at tiny.nn:7:9: above`."""
    node, name = side
    where = f" at {node.origin.spans[0]}" if node.origin.spans else ""
    return f"{node.op.name}{where}: {name}"


def _number(size: float) -> float | str:
    return size if size != float("inf") else "infinite"
