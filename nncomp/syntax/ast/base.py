"""Any piece of syntax, and names."""

from __future__ import annotations

from dataclasses import dataclass, field

from nncomp.source import Span


@dataclass(frozen=True, eq=False)
class Node:
    """Any piece of syntax."""

    span: Span = field(repr=False)


@dataclass(frozen=True, eq=False)
class Name(Node):
    """An identifier where it is defined or bound (a use of it is a `Ref`)."""

    text: str
