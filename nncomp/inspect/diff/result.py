"""What differs between two models, as data: for text, JSON, and pictures side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from nncomp.ir.graph import Graph, Node

Kind = Literal["added", "removed", "renamed", "changed"]
Part = Literal["model", "dimension", "input", "output", "node", "edge", "weight", "obligation"]
PARTS: tuple[Part, ...] = (
    *("model", "dimension", "input", "output", "obligation", "node", "edge", "weight"),
)


@dataclass(frozen=True)
class Detail:
    """One property that changed: an attribute, an operand, a type; what JSON can hold."""

    what: str
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Values:
    """How the numbers of a tensor differ.

    absolute: the largest |a - b|; relative: the largest |a - b| / max(|a|, |b|), 2 at most;
        both are infinite where only one of two numbers is finite
    equal: the share of elements that are the same, 0 to 1
    """

    absolute: float
    relative: float
    equal: float

    def to_json(self) -> dict[str, Any]:
        finite = [v if v < float("inf") else None for v in (self.absolute, self.relative)]
        return {"largest_absolute": finite[0], "largest_relative": finite[1], "equal": self.equal}


@dataclass(frozen=True)
class Change:
    """One difference.

    part: of the model that it concerns. An `edge` is a tensor between two nodes
    path: in the first model; in the second for what was added
    new_path: in the second model, where it has another one
    op: the operator of a node; type: of its result, of an input, output or weight
    block: of a node, in the model of its path
    details: what changed; of an added or removed node, its operands
    values: of a weight whose numbers changed
    follows: whether it follows from another change, as sizes behind a changed stride do
    nodes: at which it is, in each model
    """

    part: Part
    kind: Kind
    path: str
    new_path: str | None = None
    op: str = ""
    type: str = ""
    block: str = ""
    details: tuple[Detail, ...] = ()
    values: Values | None = None
    follows: bool = False
    nodes: tuple[Node | None, Node | None] = field(default=(None, None), repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"part": self.part, "kind": self.kind, "path": self.path}
        optional = {"new_path": self.new_path, "op": self.op, "type": self.type}
        found |= {key: value for key, value in optional.items() if value}
        if self.part == "node":
            found["block"] = self.block
        if self.details:
            found["details"] = [detail.to_json() for detail in self.details]
        if self.values is not None:
            found["values"] = self.values.to_json()
        if self.follows:
            found["follows"] = True
        return found


@dataclass(frozen=True)
class Side:
    """One of the two models.

    file: where it came from, with its settings where both came from one
    nodes: how many of them are compared (not those that only compute sizes)
    weights: how many tensors
    """

    file: str
    model: str
    nodes: int
    weights: int

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "model": self.model,
            "nodes": self.nodes,
            "weights": self.weights,
        }


@dataclass(frozen=True)
class Diff:
    """The differences of two models.

    changes: in the order of the models
    graphs: what was compared; pairs: their nodes, those that are one in both side by side, `None`
        beside what only one has
    same_weights: how many tensors agree; None where weights were not compared
    """

    a: Side
    b: Side
    changes: tuple[Change, ...]
    same_weights: int | None
    graphs: tuple[Graph, Graph] = field(repr=False)
    pairs: tuple[tuple[Node | None, Node | None], ...] = field(repr=False)

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.changes

    def __bool__(self) -> bool:
        """Whether something differs."""
        return bool(self.changes)

    def of(self, *parts: Part) -> tuple[Change, ...]:
        """The changes of these parts."""
        return tuple(change for change in self.changes if change.part in parts)

    def __repr__(self) -> str:
        counts = Counter(f"{c.part} {c.kind}" for c in self.changes)
        told = ", ".join(f"{count} × {what}" for what, count in counts.items()) or "equal"
        return f"<Diff {self.a.file} → {self.b.file}: {told}>"

    def __str__(self) -> str:
        from nncomp.inspect.diff.text import lines

        return "\n".join(line.text for line in lines(self))

    def to_json(self) -> dict[str, Any]:
        """All changes; how many there are of each part and kind."""
        counts: dict[str, dict[str, int]] = {}
        for change in self.changes:
            of_part = counts.setdefault(change.part, {})
            of_part[change.kind] = of_part.get(change.kind, 0) + 1
        return {
            "equal": self.equal,
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "counts": counts,
            "same_weights": self.same_weights,
            "changes": [change.to_json() for change in self.changes],
        }
