"""The model as text: inputs, what must hold, parameters, statements, outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nncomp.decompile.groups import Group, fill
from nncomp.decompile.names import dim_text
from nncomp.decompile.pieces import Hole, Pieces, Use
from nncomp.decompile.regions import Region
from nncomp.decompile.spelling import literal_pieces, result_name, spell
from nncomp.decompile.templates import Body, Template, Templates
from nncomp.dims import DimLike
from nncomp.ir.graph import Body as Closed
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.literals import escaped
from nncomp.ir.naming import name_graph
from nncomp.ir.obligation import Obligation
from nncomp.ir.text_control import Spelling, write_control
from nncomp.types import TensorType


class Model:
    """The outermost region."""

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
        self.symbols = dict(self.given.symbols)
        self.template = Template(root)
        for name in (
            *(self.given.values[v] for v in graph.inputs),
            *self.given.outputs.values(),
            *self.given.symbols.values(),
        ):
            self.template.names.claim(name)
        root.inputs = [*graph.inputs]
        root.outputs = [*dict.fromkeys(graph.outputs.values())]
        self.body = _ModelBody(templates, self.template, self)
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
        lines = [self.filled(pieces) for pieces in self.template.pieces()]
        for name, value in graph.outputs.items():
            shown = self.filled(literal_pieces(value) or body.read(value))
            printed = self.given.outputs[name]
            lines.append(f"output {printed}" if shown == printed else f"output {printed} = {shown}")
        inside = "\n".join([*head, *lines])
        return f"model {graph.name} {{\n{inside}\n}}\n"

    def _input(self, value: Value) -> str:
        return f"input {self.given.values[value]}: {self.type(value.type)}"

    def type(self, type_: TensorType) -> str:
        """A type as text."""
        return f"{type_.dtype}[{', '.join(map(self._dim, type_.shape))}]"

    def _assert(self, obligation: Obligation) -> str:
        condition = " or ".join(
            f"{self._dim(c.left)} {c.relation} {self._dim(c.right)}" for c in obligation.clause
        )
        message = "".join(
            escaped(part) if isinstance(part, str) else f"{{{self._dim(part)}}}"
            for part in obligation.message
        )
        return f'assert {condition}, "{message}"'

    def filled(self, pieces: Pieces) -> str:
        """Pieces as text: all numbers are known here."""
        written: list[str] = []
        for piece in pieces:
            if isinstance(piece, Hole):
                written.append(self._dim(piece.value))
            elif isinstance(piece, Use):
                written += [self._dim(number) for number in piece.template.numbers]
        return fill(pieces, 0, written, self.groups)[0]

    def _dim(self, dim: DimLike) -> str:
        return dim_text(dim, self.symbols)


class _ModelBody(Body):
    """Statements of the model, where outputs have names of their own.

    wanted: names of values that are outputs; aliases: captures of control flow, by what they are
    """

    def __init__(self, templates: Templates, template: Template, model: Model) -> None:
        super().__init__(templates, template)
        self.model = model
        self.wanted: Mapping[Value, str] = {}
        self.aliases: dict[Value, Value] = {}

    def _fresh(self, value: Value, hint: str) -> str:
        return self.wanted[value] if value in self.wanted else super()._fresh(value, hint)

    def control(self, node: Node) -> None:
        """A `scan`, `loop` or `cond`."""
        for value in (*node.outputs, *_inner(node)):
            if value not in self.names:
                self.names[value] = self._fresh(value, _hint(value))
        model = self.model
        spelling = Spelling(
            self._operand,
            self.names,
            self.aliases,
            model.symbols,
            self._statements,
            model.type,
            self.template.names.fresh,
            self.names.__getitem__,
        )
        self.template.lines.append([write_control(node, spelling)])

    def _operand(self, value: Value) -> str:
        value = self.aliases.get(value, value)
        return self.model.filled(literal_pieces(value) or [self.names[value]])

    def _pieces(self, value: Value) -> Pieces:
        return [self._operand(value)]

    def _statements(self, body: Closed) -> list[str]:
        """The lines of a body's nodes."""
        lines: list[str] = []
        for node in body.nodes:
            if node.op.bodies:
                before = len(self.template.lines)
                self.control(node)
                lines += ["".join(map(str, line)) for line in self.template.lines[before:]]
                del self.template.lines[before:]
            elif literal_pieces(node.outputs[0]) is None:
                names = [self.names[value] for value in node.outputs]
                target = names[0] if len(names) == 1 else f"({', '.join(names)})"
                text = self.model.filled(spell(node, self._pieces, None).pieces())
                lines.append(f"{target} = {text}")
        return lines


_LONGEST = 24  # characters of a name that is taken over


def _hint(value: Value) -> str:
    if value.name and len(value.name) <= _LONGEST:
        return value.name
    return "h" if value.node is None or value.node.op.bodies else result_name(value.node)


def _inner(node: Node) -> Iterator[Value]:
    """The values of a node's bodies but for captures and what is written where it is read."""
    for body in node.op.bodies:
        yield from body.inputs[: len(body.inputs) - body.captures]
        for inner in body.nodes:
            if literal_pieces(inner.outputs[0]) is None:
                yield from inner.outputs
            yield from _inner(inner)
