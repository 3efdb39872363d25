"""Any piece of syntax, and names."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from nncomp.records import record
from nncomp.source import Span

if TYPE_CHECKING:
    from dataclasses import Field

Class = TypeVar("Class")


@dataclass_transform(eq_default=False, frozen_default=True)
def node(cls: type[Class]) -> type[Class]:
    """Makes a subclass of `Node` a record."""
    return record(cls)


@node
class Node:
    """Any piece of syntax."""

    span: Span

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __repr__(self) -> str:
        values = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.name != "span"]
        return f"{type(self).__name__}({', '.join(values)})"


@node
class Name(Node):
    """An identifier where it is defined or bound (a use of it is a `Ref`)."""

    text: str
