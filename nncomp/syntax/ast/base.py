"""Any piece of syntax, and names."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from nncomp.source import Span

if TYPE_CHECKING:
    from dataclasses import Field

Class = TypeVar("Class")


@dataclass_transform(eq_default=False, frozen_default=True)
def node(cls: type[Class]) -> type[Class]:
    """Makes a subclass of `Node` a dataclass. mypy sees to it that nobody changes one; a check when
    the program runs would take longer to make than many a file to parse."""
    return dataclass(eq=False, repr=False)(cls)


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
