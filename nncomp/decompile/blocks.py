"""Blocks and the model as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nncomp.decompile.groups import Group, fill, grouped
from nncomp.decompile.interfaces import connect
from nncomp.decompile.names import camel_case
from nncomp.decompile.pieces import Hole, Pieces, Use
from nncomp.decompile.regions import Region, tree_of
from nncomp.decompile.scopes import scopes_of
from nncomp.decompile.spelling import literal_pieces
from nncomp.decompile.templates import Body, Template, Templates
from nncomp.dims import DimLike, Symbol, substitute
from nncomp.ir.graph import Graph, Value
from nncomp.ir.literals import escaped
from nncomp.ir.naming import Names, name_graph
from nncomp.ir.obligation import Obligation

LIBRARY = ["Conv", "ConvTranspose", "Linear", "LayerNorm", "RMSNorm", "BatchNorm", "Embedding"]


@dataclass(frozen=True)
class Structured:
    """A graph as blocks and a model. paths: of the parameters; blocks: how many there are"""

    text: str
    paths: Mapping[Value, str]
    blocks: int


def structured(graph: Graph, modules: Mapping[str, str]) -> Structured:
    """The graph as blocks and a model. modules: paths of blocks, and their classes"""
    root = tree_of(graph, scopes_of(graph, modules), modules)
    paths = connect(root, graph)
    templates = Templates({p.value: p.kind for p in graph.parameters})
    templates.add_all(root)
    groups = grouped(templates)
    _name_blocks(groups, modules, graph.name)
    written = [_block(group, groups) for group in dict.fromkeys(groups.values())]
    written.append(_Model(graph, root, templates, groups).text())
    used = sorted({name for name, _ in templates.layers.values()})
    head = [f"from std import {', '.join(used)}\n"] if used else []
    return Structured("\n".join([*head, *written]), paths, len(written) - 1)


def _name_blocks(groups: Mapping[Template, Group], modules: Mapping[str, str], model: str) -> None:
    names = Names([*LIBRARY, model])
    for group in dict.fromkeys(groups.values()):
        group.name = _numbered(names, _block_name(group.first.region, modules))


def _numbered(names: Names, name: str) -> str:
    """`Layer`, `Layer2`, `Layer3`."""
    number, found = 1, name
    while found in names.taken:
        number += 1
        found = f"{name}{'_' if name[-1].isdecimal() else ''}{number}"
    return names.claim(found)


def _block_name(region: Region, modules: Mapping[str, str]) -> str:
    """The class of the module, or the name of the instance: `Layer` for `layers.0`."""
    kind = modules.get(region.path, "")
    if kind and kind.isidentifier() and kind.isascii() and kind not in ("Sequential", "ModuleList"):
        return camel_case(kind)
    words = region.path.split(".")
    name = next((w for w in reversed(words) if not w.isdecimal() and camel_case(w)), "block")
    counted = words[-1].isdecimal() and name.endswith("s") and len(name) > 2
    return camel_case(name.removesuffix("s") if counted else name) or "Block"


def _block(group: Group, groups: Mapping[Template, Group]) -> str:
    template = group.first
    lines: list[str] = []
    at = 0
    for pieces in template.pieces():
        line, at = fill(pieces, at, group.written, groups)
        lines.append(line)
    hyper = [
        f"{name}: {'dim' if hint == 'dim' else 'int'}"
        for name, (_, hint) in group.hyperparameters.items()
    ]
    tensors = [f"{n}: {t}" for n, t in zip(template.inputs, group.signature, strict=True)]
    body = "\n".join(lines)
    return f"block {group.name}({', '.join(hyper)})({', '.join(tensors)}) {{\n{body}\n}}\n"


class _Model:
    """The outermost region: inputs, what must hold, parameters, statements, outputs."""

    def __init__(
        self,
        graph: Graph,
        root: Region,
        templates: Templates,
        groups: Mapping[Template, Group],
    ) -> None:
        self.graph = graph
        self.root = root
        self.groups = groups
        self.given = name_graph(graph)
        self.template = Template(root)
        for name in (
            *(self.given.values[v] for v in graph.inputs),
            *self.given.outputs.values(),
            *self.given.symbols.values(),
        ):
            self.template.names.claim(name)
        root.inputs = [*graph.inputs]
        root.outputs = [*dict.fromkeys(graph.outputs.values())]
        self.body = _ModelBody(templates, self.template)
        self.body.names |= {v: self.given.values[v] for v in graph.inputs}
        self.body.wanted = {
            v: self.given.outputs[name]
            for name, v in reversed([*graph.outputs.items()])
            if v not in self.body.names
        }

    def text(self) -> str:
        """The model."""
        graph, body = self.graph, self.body
        body.declare()
        body.run()
        head = [self._input(value) for value in graph.inputs]
        head += map(self._assert, graph.obligations)
        lines = [self._filled(pieces) for pieces in self.template.pieces()]
        for name, value in graph.outputs.items():
            shown = self._filled(literal_pieces(value) or body.read(value))
            printed = self.given.outputs[name]
            lines.append(f"output {printed}" if shown == printed else f"output {printed} = {shown}")
        inside = "\n".join([*head, *lines])
        return f"model {graph.name} {{\n{inside}\n}}\n"

    def _input(self, value: Value) -> str:
        dims = ", ".join(map(self._dim, value.shape))
        return f"input {self.given.values[value]}: {value.type.dtype}[{dims}]"

    def _assert(self, obligation: Obligation) -> str:
        condition = " or ".join(
            f"{self._dim(c.left)} {c.relation} {self._dim(c.right)}" for c in obligation.clause
        )
        message = "".join(
            escaped(part) if isinstance(part, str) else f"{{{self._dim(part)}}}"
            for part in obligation.message
        )
        return f'assert {condition}, "{message}"'

    def _filled(self, pieces: Pieces) -> str:
        written: list[str] = []
        for piece in pieces:
            if isinstance(piece, Hole):
                written.append(self._dim(piece.value))
            elif isinstance(piece, Use):
                written += [self._dim(number) for number in piece.template.numbers]
        return fill(pieces, 0, written, self.groups)[0]

    def _dim(self, dim: DimLike) -> str:
        if isinstance(dim, int):
            return str(dim)
        renamed: dict[Symbol, DimLike] = {
            s: Symbol(self.given.symbols.get(s, s.name), s.minimum, s.maximum).dim
            for s in dim.symbols()
        }
        return str(substitute(dim, renamed))


class _ModelBody(Body):
    """Statements of the model, where outputs have names of their own."""

    wanted: Mapping[Value, str] = {}

    def _fresh(self, value: Value, hint: str) -> str:
        return self.wanted[value] if value in self.wanted else super()._fresh(value, hint)
