"""Records: what `@dataclass(frozen=True, eq=False)` would make, made when it is needed."""

from __future__ import annotations

from dataclasses import field, fields, replace

import pytest

from nncomp.records import record


@record
class Base:
    size: int
    names: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict, init=False, repr=False)


@record
class Longer(Base):
    """One that has a field more."""

    scale: float = 1.0
    axis: int = field(kw_only=True)


class Named(Longer):
    """No record itself."""


@record
class Settled(Base):
    unit: str = "s"

    def __repr__(self) -> str:
        return f"{self.size} {self.unit}"


def test_the_first_instance_and_the_next() -> None:
    for _ in range(2):
        longer = Longer(3, scale=2.0, axis=1)
        assert (longer.size, longer.names, longer.scale, longer.axis) == (3, [], 2.0, 1)
        assert repr(longer) == "Longer(size=3, names=[], scale=2.0, axis=1)"
    assert Base(1).names is not Base(1).names
    assert longer.kept == {}
    assert longer != Longer(3, scale=2.0, axis=1)
    assert len({longer, longer}) == 1


def test_subclasses() -> None:
    assert Named(3, axis=2).axis == 2
    assert repr(Named(3, axis=2)) == "Named(size=3, names=[], scale=1.0, axis=2)"
    assert repr(Settled(3)) == "3 s"
    assert [f.name for f in fields(Longer)] == ["size", "names", "kept", "scale", "axis"]


def test_replaced() -> None:
    assert replace(Base(3, ["a"]), size=4).names == ["a"]


def test_wrong_arguments() -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'size'"):
            Base()  # type: ignore[call-arg]
