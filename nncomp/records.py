"""Dataclasses that cost little to declare: at each start there are hundreds of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, TypeVar, dataclass_transform

Class = TypeVar("Class")
_OF_INIT = ("default", "default_factory", "init", "kw_only")


@dataclass_transform(eq_default=False, frozen_default=True, field_specifiers=(field,))
def record(cls: type[Class]) -> type[Class]:
    """As `@dataclass(frozen=True, eq=False)`, at a tenth of its cost: only mypy sees to it that
    nobody changes an instance, and `__init__` is made when there is a first one."""
    made = dataclass(init=False, eq=False, repr=False)(cls)
    setattr(made, "__init__", _first_init(made))  # noqa: B010 (mypy takes it for an instance's)
    if cls.__repr__ is object.__repr__:
        setattr(made, "__repr__", _text)  # noqa: B010
    return made


def _first_init(cls: type[Any]) -> Callable[..., None]:
    """An `__init__` that first puts the one that `dataclass` makes in its place."""

    def init(self: Any, *args: Any, **named: Any) -> None:
        made = _made_init(cls)
        setattr(cls, "__init__", made)  # noqa: B010
        made(self, *args, **named)

    return init


def _made_init(cls: type[Any]) -> Callable[..., None]:
    parts: list[tuple[str, Any, Any]] = []
    for f in fields(cls):
        same = {name: getattr(f, name) for name in _OF_INIT}
        parts.append((f.name, f.type, field(**same)))
    found: Callable[..., None] = vars(make_dataclass(cls.__name__, parts, eq=False, repr=False))[
        "__init__"
    ]
    return found


def _text(self: Any) -> str:
    values = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr]
    return f"{type(self).__qualname__}({', '.join(values)})"
