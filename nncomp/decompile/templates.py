"""A region as statements with holes. Regions of the same statements may share a block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nncomp.decompile.layers import Layer, layer_of
from nncomp.decompile.names import snake_case
from nncomp.decompile.pieces import Chain, Hole, Pieces, Stage, Use, joined, merged
from nncomp.decompile.regions import Region
from nncomp.decompile.runs import Run, folded
from nncomp.decompile.spelling import operator_of, result_name, spell, subject_of, words
from nncomp.dims import DimLike
from nncomp.ir.graph import Node, ParameterKind, Value
from nncomp.ir.literals import quoted
from nncomp.ir.naming import NEVER, Names

_LONGEST = 12  # stages of a pipe
_LONGEST_SIDE = 48  # characters of an expression beside an operator


@dataclass(eq=False)
class Template:
    """A region's statements.

    lines: each a list of pieces; parameters: the same, that declare them
    inputs: names in order
    key: equal for regions that differ in the numbers in holes at most
    holes: in order
    names: that are taken in it
    """

    region: Region
    parameters: list[Pieces] = field(default_factory=list)
    lines: list[Pieces] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    key: int = 0
    holes: list[Hole] = field(default_factory=list)

    @property
    def numbers(self) -> tuple[DimLike, ...]:
        return tuple(hole.value for hole in self.holes)

    def pieces(self) -> Iterator[Pieces]:
        """All lines."""
        yield from self.parameters
        yield from self.lines


class Templates:
    """The templates of all regions of a model."""

    def __init__(self, kinds: Mapping[Value, ParameterKind]) -> None:
        self.kinds = kinds
        self.of: dict[Region, Template] = {}
        self.layers: dict[Region, Layer] = {}
        self._keys: dict[str, int] = {}

    def add_all(self, root: Region) -> None:
        """Makes the templates of the regions within one. Those that are layers of the library get
        its names for their parameters, unless others have them."""
        taken = {path for region in root.regions() for path in region.paths().values()}
        for region in root.regions():
            if region is root:
                continue
            layer = layer_of(region, self.kinds)
            own = set(region.paths().values())
            new = set() if layer is None else set(region.paths(layer.parameters).values()) - own
            if layer is None or not taken.isdisjoint(new):
                self.of[region] = self.make(region)
            else:
                self.layers[region] = layer
                region.parameters = layer.parameters

    def make(self, region: Region) -> Template:
        """The template of one region, after those of the regions in it."""
        template = Template(region)
        body = Body(self, template)
        for value in region.inputs:
            body.names[value] = name = template.names.fresh(_input_hint(value, region))
            template.inputs.append(name)
        body.declare()
        body.run()
        results = joined(body.read(value) for value in region.outputs)
        template.lines.append(["return ", *results])
        self._finish(template)
        return template

    def _finish(self, template: Template) -> None:
        text = ";".join(f"{v.type.dtype}{v.rank}" for v in template.region.inputs)
        for pieces in template.pieces():
            text += "\n"
            for piece in merged(pieces):
                if isinstance(piece, str):
                    text += piece
                elif isinstance(piece, Hole):
                    text += f"\0{piece.hint} {piece.keyword} {piece.default}\0"
                    template.holes.append(piece)
                else:
                    text += f"\0block {piece.template.key}\0"
                    template.holes += piece.template.holes
        template.key = self._keys.setdefault(text, len(self._keys))


class Body:
    """The statements of a region in the making.

    names: of values that have one; pending: values that are written where they are read
    """

    def __init__(self, templates: Templates, template: Template) -> None:
        self.templates = templates
        self.template = template
        self.region = template.region
        self.names: dict[Value, str] = {}
        self.pending: dict[Value, Chain] = {}
        self.items = folded(self.region, templates)
        self._counts: dict[Value, int] = {}
        for item in self.items:
            for value in _operands(item):
                self._counts[value] = self._counts.get(value, 0) + 1
        for value in self.region.outputs:
            self._counts[value] = self._counts.get(value, 0) + 1
        self._left = dict(self._counts)  # reads to come
        self._subjects = {s for item in self.items if (s := self._subject(item)) is not None}
        self._sides = {
            value
            for item in self.items
            if isinstance(item, Node) and operator_of(item)
            for value in item.operands
        }

    def declare(self) -> None:
        """The parameters."""
        for value, name in self.region.parameters.items():
            local = self.template.names.fresh(name.rpartition(".")[2])
            self.names[value] = local
            path = "" if local == name else f" as {quoted(name)}"
            sizes = joined([Hole(d, "width")] for d in value.shape)
            kind = self.templates.kinds[value]
            self.template.parameters.append(
                [f"{kind} {local}: {value.type.dtype}[", *sizes, "]", path]
            )

    def run(self) -> None:
        """The items, in order."""
        for item in self.items:
            if isinstance(item, Run):
                self._loop(item)
            elif isinstance(item, Node) and item.op.bodies:
                self.control(item)
            elif isinstance(item, Region):
                self._assign(item.outputs, self._application(item), _hint(item.name))
            else:
                subject = subject_of(item)
                stream = None if subject is None else self._chain(subject)
                chain = spell(item, self.read, stream, self._side)
                used = max((i for i, v in enumerate(item.outputs) if v in self._counts), default=0)
                hint = result_name(item)
                blocks = [stage.hint for stage in chain.stages if stage.hint]
                self._assign([*item.outputs[: used + 1]], chain, (blocks or [hint])[-1])

    def control(self, node: Node) -> None:
        """Control flow, which stands in the model only."""
        raise NotImplementedError

    def read(self, value: Value) -> Pieces:
        """A value where it is read."""
        if value in self.pending:
            return self.pending.pop(value).pieces()
        self._left[value] = self._left.get(value, 0) - 1
        return [self.names[value]]

    def _side(self, value: Value, least: int) -> Pieces:
        """A value beside an operator: what waits for it, in brackets if need be."""
        waiting = self.pending.pop(value, None)
        return self.read(value) if waiting is None else waiting.operand(least)

    def _subject(self, item: Node | Region | Run) -> Value | None:
        if isinstance(item, Node):
            return None if item.op.bodies else subject_of(item)
        return item.first.inputs[item.place] if isinstance(item, Run) else item.inputs[0]

    def _chain(self, value: Value) -> Chain:
        """What comes through a pipe."""
        return self.pending.pop(value, None) or Chain(self.read(value))

    def _assign(self, results: list[Value], chain: Chain, hint: str) -> None:
        first = results[0]
        waits = len(results) == 1 and self._counts.get(first, 0) == 1
        goes_on = first in self._subjects or self.region.outputs == [first]
        goes_on |= first in self._sides and _is_short(chain)
        if waits and goes_on and len(chain.stages) < _LONGEST:
            self.pending[first] = chain
            return
        for value in results:
            self.names[value] = self._fresh(value, hint)
        names = [self.names[v] for v in results]
        target = names[0] if len(names) == 1 else f"({', '.join(names)})"
        self.template.lines.append([f"{target} = ", *chain.pieces()])

    def _loop_name(self, result: Value) -> str:
        """The name of the first input, once nothing reads that any more."""
        first = self.region.inputs[0]
        free = self.region.path and not self.pending and not self._left.get(first, 0)
        if free and first in self.names:
            return self.names[first]
        return self._fresh(result, "h")

    def _fresh(self, value: Value, hint: str) -> str:
        return self.template.names.fresh(hint)

    def _application(self, region: Region) -> Chain:
        subject = self._chain(region.inputs[0])
        rest = [self.read(v) for v in region.inputs[1:]]
        stage = self._stage(region, as_name(region.name), rest)
        return Chain(subject.head, [*subject.stages, stage], subject.tightness)

    def _stage(self, region: Region, name: str, rest: list[Pieces]) -> Stage:
        if region in self.templates.layers:
            layer = self.templates.layers[region]
            callee: Pieces = [f"{layer.block}(", *layer.hyperparameters, ")"]
        else:
            callee = [Use(self.templates.of[region])]
        return Stage(callee, rest=joined(rest), name=name, is_block=True, hint=_hint(region.name))

    def _loop(self, run: Run) -> None:
        """`for i in range(3) { x = x |> Layer(64) as layer }`"""
        first = run.first
        (result,) = run.regions[-1].outputs
        start = self._chain(first.inputs[run.place]).pieces()
        self.names[result] = name = self._loop_name(result)
        if start != [name]:
            self.template.lines.append([f"{name} = ", *start])
        operands: list[Pieces] = [
            [name] if i == run.place else self.read(v) for i, v in enumerate(first.inputs)
        ]
        chain = Chain(operands[0], [self._stage(first, run.name, operands[1:])])
        bounds: Pieces = [Hole(run.count, "count")]
        if run.start:
            bounds = [f"{run.start}, ", Hole(run.start + run.count, "count")]
        self.template.lines.append(
            ["for i in range(", *bounds, ") {\n", f"{name} = ", *chain.pieces(), "\n}"]
        )


def _is_short(chain: Chain) -> bool:
    """Whether an expression may stand within another."""
    piped = len(chain.stages) > 1 or any(stage.is_block for stage in chain.stages)
    text = sum(len(piece) for piece in chain.pieces() if isinstance(piece, str))
    return not piped and text <= _LONGEST_SIDE


def _operands(item: Node | Region | Run) -> Iterator[Value]:
    if isinstance(item, Node):
        yield from item.operands
    elif isinstance(item, Region):
        yield from item.inputs
    else:
        yield from item.first.inputs


def as_name(name: str) -> str:
    """What stands behind `as`."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name not in NEVER
    return name if plain else quoted(name)


def _hint(name: str) -> str:
    parts = [part for part in name.split(".") if not part.isdecimal()]
    return snake_case(words(parts[-1])) if parts else "x"


def _input_hint(value: Value, region: Region) -> str:
    kind = value.type.dtype
    if value is region.inputs[0]:
        return "x"
    return "y" if kind.is_float else "index" if kind.is_int else "mask"
