"""Equal regions one behind the other, which become a loop."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nncomp.decompile.regions import Region
from nncomp.ir.graph import Node, Value
from nncomp.ir.literals import quoted

if TYPE_CHECKING:
    from nncomp.decompile.templates import Templates


@dataclass(frozen=True, eq=False)
class Run:
    """Regions of which each takes, at `place`, what the one before gives; all else is the same.

    prefix, start, suffix: of their names: `layer.0`, `layer.1` …
    """

    regions: tuple[Region, ...]
    place: int
    prefix: str
    start: int
    suffix: str

    @property
    def first(self) -> Region:
        return self.regions[0]

    @property
    def count(self) -> int:
        return len(self.regions)

    @property
    def name(self) -> str:
        """What stands behind `as`."""
        plain = self.prefix.removesuffix(".")
        numbered = not self.suffix and not self.start and plain + "." == self.prefix
        if numbered and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", plain):
            return plain  # the language adds the index
        around = [quoted(part)[1:-1] for part in (self.prefix, self.suffix)]
        return f'"{around[0]}{{i}}{around[1]}"'


def folded(region: Region, templates: Templates) -> list[Node | Region | Run]:
    """The items of a region, with runs in place of what repeats."""
    items: list[Node | Region | Run] = []
    at = 0
    while at < len(region.items):
        run = _run_at(region, at, templates)
        if run is None:
            items.append(region.items[at])
            at += 1
        else:
            items.append(run)
            at += run.count
    return items


def _run_at(region: Region, at: int, templates: Templates) -> Run | None:
    first = region.items[at]
    if not isinstance(first, Region) or len(first.outputs) != 1:
        return None
    regions = [first]
    place: int | None = None
    number = _numbered(first.name)
    if number is None:
        return None
    prefix, start, suffix = number
    for item in region.items[at + 1 :]:
        before = regions[-1]
        expected = (prefix, start + len(regions), suffix)
        if not isinstance(item, Region) or _numbered(item.name) != expected:
            break
        if not _equal(first, item, templates):
            break
        (given,) = before.outputs
        pairs = zip(first.inputs, item.inputs, strict=True)
        differ = [i for i, (a, b) in enumerate(pairs) if a is not b]
        if (
            len(differ) != 1
            or item.inputs[differ[0]] is not given
            or place not in (None, differ[0])
        ):
            break
        if given in region.outputs or _reads(region, given) != 1:
            break
        place = differ[0]
        regions.append(item)
    if place is None:
        return None
    return Run(tuple(regions), place, prefix, start, suffix)


def _reads(region: Region, value: Value) -> int:
    """How many places in a region read a value."""
    return sum(
        (item.inputs if isinstance(item, Region) else [*item.operands]).count(value)
        for item in region.items
    )


def _equal(one: Region, other: Region, templates: Templates) -> bool:
    if one in templates.layers or other in templates.layers:
        return False
    a, b = templates.of[one], templates.of[other]
    types = [[v.type for v in region.inputs] for region in (one, other)]
    return a.key == b.key and a.numbers == b.numbers and types[0] == types[1]


def _numbered(name: str) -> tuple[str, int, str] | None:
    """`layers.3` as ("layers.", 3, "")."""
    found = re.fullmatch(r"(.*?)(\d{1,6})(\D*)", name)
    if found is None or str(int(found[2])) != found[2]:
        return None
    return found[1], int(found[2]), found[3]
