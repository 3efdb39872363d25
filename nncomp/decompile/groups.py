"""Templates with the same statements share a block. What differs between its instances follows
from the sizes of its inputs, or is a hyperparameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nncomp.decompile.pieces import Hole, Pieces, Use
from nncomp.decompile.templates import Template, Templates
from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.ir.naming import Names
from nncomp.types import TensorType

MAX_HYPERPARAMETERS = 6  # of a block: what differs in more is two blocks
_FACTORS = (2, 3, 4, 6, 8, 12, 16)
_AXES = {2: "ND", 3: "NTD", 4: "NCHW", 5: "NCDHW"}
Column = tuple[DimLike, ...]


@dataclass(eq=False)
class Group:
    """The instances of one block.

    name: of the block; written: what stands in each hole
    hyperparameters: names, with the number of a hole whose values they take
    signature: the types of the inputs, where dims are named
    """

    templates: list[Template]
    name: str = ""
    written: list[str] = field(default_factory=list)
    hyperparameters: dict[str, tuple[int, str]] = field(default_factory=dict)
    signature: list[str] = field(default_factory=list)

    @property
    def first(self) -> Template:
        return self.templates[0]


def grouped(templates: Templates) -> dict[Template, Group]:
    """The group of each template, those within others first."""
    found: dict[Template, Group] = {}
    same: dict[tuple[int, ...], list[Template]] = {}
    order = sorted(templates.of.values(), key=lambda t: t.key)
    serials: dict[Group, int] = {}
    at = 0
    while at < len(order):
        behind = at
        while behind < len(order) and order[behind].key == order[at].key:
            behind += 1
        same = {}
        for template in order[at:behind]:
            inner = (serials[found[use.template]] for use in uses(template))
            same.setdefault(tuple(inner), []).append(template)
        for members in same.values():
            for group in _resolved(members, found):
                serials[group] = len(serials)
                found |= dict.fromkeys(group.templates, group)
        at = behind
    return found


def uses(template: Template) -> list[Use]:
    """The blocks that a template uses, in order."""
    return [piece for line in template.pieces() for piece in line if isinstance(piece, Use)]


def _resolved(members: list[Template], inner: Mapping[Template, Group]) -> list[Group]:
    """One group, or one for each combination of numbers where they differ in too much."""
    group = _Resolver(Group(members), inner).run()
    if len(group.hyperparameters) <= MAX_HYPERPARAMETERS:
        return [group]
    apart: dict[tuple[DimLike, ...], list[Template]] = {}
    for template in members:
        apart.setdefault(template.numbers, []).append(template)
    if len(apart) == 1:
        return [group]
    return [_Resolver(Group(some), inner).run() for some in apart.values()]


class _Resolver:
    """Finds what stands in the holes of a group."""

    def __init__(self, group: Group, inner: Mapping[Template, Group]) -> None:
        self.group = group
        self.inner = inner
        template = group.first
        self.names = Names(template.names.taken)
        self.columns: list[Column] = [*zip(*(t.numbers for t in group.templates), strict=True)]
        self.types = [[v.type for v in t.region.inputs] for t in group.templates]
        self.axes: dict[tuple[int, int], str] = {}  # names of axes that are read
        self.known: dict[Column, str] = {}  # hyperparameters by their values

    def run(self) -> Group:
        group = self.group
        group.written = [""] * len(self.columns)
        for number, hole in self._open_holes():
            group.written[number] = self._written(number, hole, self.columns[number])
        group.signature = [self._signature(i) for i in range(len(group.first.inputs))]
        return group

    def _open_holes(self) -> list[tuple[int, Hole]]:
        """The holes of the block itself, and of the blocks in it those that are hyperparameters
        there."""
        found: list[tuple[int, Hole]] = []
        offset = 0
        for pieces in self.group.first.pieces():
            for piece in pieces:
                if isinstance(piece, Hole):
                    found.append((offset, piece))
                    offset += 1
                elif isinstance(piece, Use):
                    given = self.inner[piece.template].hyperparameters
                    found += [(offset + number, Hole(0, hint)) for number, hint in given.values()]
                    offset += len(piece.template.holes)
        return found

    def _written(self, number: int, hole: Hole, column: Column) -> str:
        if all(isinstance(v, int) and v == column[0] for v in column):
            return str(column[0])
        if column in self.known:
            return self.known[column]
        sized = hole.hint in ("size", "width", "channels", "groups", "count")
        found = self._by_axes(column) if sized else None
        if found is None and sized:
            found = self._by_hyperparameter(column)
        if found is not None:
            return found
        name = self.names.fresh(hole.hint)
        self.known[column] = name
        hint = hole.hint if all(isinstance(v, int) for v in column) else "dim"
        self.group.hyperparameters[name] = number, hint
        return name

    def _by_axes(self, column: Column) -> str | None:
        """The size of an axis of an input, or a multiple or part of one; a formula of sizes."""
        axes = self._axis_columns()
        for place, sizes in axes:
            if sizes == column:
                return self._axis(place)
        numbers = [n for n in column if isinstance(n, int)]
        if len(numbers) == len(column):
            return self._by_width(numbers)
        if any(value != column[0] for value in column) or not isinstance(column[0], Dim):
            return None
        named: dict[Symbol, DimLike] = {}
        for symbol in column[0].symbols():
            found = next((p for p, sizes in axes if all(s == symbol.dim for s in sizes)), None)
            if found is None:
                return None
            named[symbol] = Symbol(self._axis(found), symbol.minimum, symbol.maximum).dim
        return str(substitute(column[0], named))

    def _by_width(self, numbers: Sequence[int]) -> str | None:
        """A multiple or part of an input's channels or features."""
        for place, sizes in self._axis_columns():
            whole = [n for n in sizes if isinstance(n, int)]
            if len(whole) != len(sizes) or not self._is_width(place):
                continue
            for k in _FACTORS:
                if all(n == k * size for n, size in zip(numbers, whole, strict=True)):
                    return f"{k} * {self._axis(place)}"
                if all(n * k == size for n, size in zip(numbers, whole, strict=True)):
                    return f"{self._axis(place)} // {k}"
        return None

    def _by_hyperparameter(self, column: Column) -> str | None:
        for other, name in self.known.items():
            for k in _FACTORS:
                pairs = [*zip(column, other, strict=True)]
                if all(isinstance(b, int) and isinstance(a, int) and a == k * b for a, b in pairs):
                    return f"{k} * {name}"
        return None

    def _axis_columns(self) -> list[tuple[tuple[int, int], Column]]:
        """All axes of the inputs and their sizes, those of each input's width first."""
        places = [(i, axis) for i, t in enumerate(self.types[0]) for axis in range(t.rank)]
        places.sort(key=lambda place: (place[0], not self._is_width(place)))
        return [(place, self._column(place)) for place in places]

    def _is_width(self, place: tuple[int, int]) -> bool:
        """Whether an axis is one of channels or features, rather than of places."""
        rank = self.types[0][place[0]].rank
        return place[1] == (1 if rank > 3 else rank - 1)

    def _axis(self, place: tuple[int, int]) -> str:
        if place not in self.axes:
            column = tuple(types[place[0]].shape[place[1]] for types in self.types)
            same = next((p for p in self.axes if self._column(p) == column), None)
            self.axes[place] = self.axes[same] if same else self._name(place, column)
        return self.axes[place]

    def _column(self, place: tuple[int, int]) -> Column:
        return tuple(types[place[0]].shape[place[1]] for types in self.types)

    def _name(self, place: tuple[int, int], column: Column) -> str:
        first = column[0]
        if isinstance(first, Dim) and first.symbol is not None:
            return self.names.fresh(first.symbol.name)
        letters = _AXES.get(self.types[0][place[0]].rank, "")
        return self.names.fresh(letters[place[1]] if letters else "size")

    def _signature(self, number: int) -> str:
        """The type of an input: what is read of its dims has names, what is always the same a
        number."""
        type_: TensorType = self.types[0][number]
        dims = []
        for axis in range(type_.rank):
            column = self._column((number, axis))
            if (number, axis) in self.axes or not all(isinstance(v, int) for v in column):
                dims.append(self._axis((number, axis)))
            elif len(set(column)) == 1:
                dims.append(str(column[0]))
            else:
                dims.append(self._axis((number, axis)))
        return f"{type_.dtype}[{', '.join(dims)}]"


def arguments(group: Group, offset: int, written: Sequence[str]) -> str:
    """The hyperparameters of an instance; `written` is what stands in the holes around, of which
    those of the instance begin at `offset`."""
    return ", ".join(written[offset + number] for number, _ in group.hyperparameters.values())


def fill(
    pieces: Pieces, offset: int, written: Sequence[str], groups: Mapping[Template, Group]
) -> tuple[str, int]:
    """The pieces as text, and the number of the hole behind them."""
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        elif isinstance(piece, Hole):
            shown = written[offset]
            offset += 1
            if not piece.keyword:
                text += shown
            elif shown != str(piece.default):
                text += f", {piece.keyword}={shown}"
        else:
            group = groups[piece.template]
            text += f"{group.name}({arguments(group, offset, written)})"
            offset += len(piece.template.holes)
    return text, offset
