"""The text form of a graph: flat `.nn`, one statement for each node.

    model LeNet5 {
      input image: f32[N, 1, 28, 28]
      param conv1_weight: f32[6, 1, 5, 5] as "conv1.weight"

      v1 = onnx.Conv(image, conv1_weight, pads=[2, 2, 2, 2])
      logits = onnx.Relu(v1)

      output logits
    }

It is read by the ordinary parser. What is written follows a few rules:

* an operator is `onnx.NAME(operands, attributes)`, one of our own domain `nncomp.NAME(...)`; only
  attributes that differ from their defaults are given, an operand left out is `none`
* `(y, mean) = ...` names the first results of a node, as many as are used
* a small constant is a dtype applied to a list, `f32(0.5)`, `i64([1, 2])`, written exactly; a
  larger one is a `buffer` at `constant.1`, …, whose data stand beside the text
* an obligation is an `assert` of dims, after the inputs and parameters
* control flow is written as `scan`, `loop` and `cond` (`text_control.py`)
* a result has its type only where that names a size which nothing else tells (`text_sizes.py`)
* spans, scopes and histories are not part of it; with `comments` they trail each line
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.literals import attribute_text, can_write, escaped, literal, quoted
from nncomp.ir.naming import identifier, name_graph
from nncomp.ir.obligation import Obligation
from nncomp.ir.text_control import Spelling, write_control
from nncomp.ir.text_sizes import typed_results
from nncomp.types import Array, SequenceType, TensorType, is_container

MAX_INLINE = 8  # elements of a constant that is written where it is used


@dataclass(frozen=True)
class Text:
    """A graph as text, and the data of its large constants by path."""

    text: str
    constants: Mapping[str, Array]

    def __str__(self) -> str:
        return self.text


def to_text(graph: Graph, *, comments: bool = False) -> Text:
    """The graph as `.nn`. The same graph gives the same text.

    comments: end each line with the type of the results, the scope and the rewrites.
    """
    return _Writer(graph, comments).write()


class _Writer:
    def __init__(self, graph: Graph, comments: bool) -> None:
        self.graph = graph
        self.comments = comments
        self.constants: dict[str, Array] = {}
        self._paths = {p.path for p in graph.parameters}
        names = name_graph(graph)
        self.names = dict(names.values)
        self._fresh = names.fresh
        self._aliases: dict[Value, Value] = {}  # captures in bodies: values of the graph around
        self.outputs = names.outputs
        self._dims = dict(names.symbols)
        self._typed = typed_results(graph)
        self._written: dict[Value, str] = {}  # large constants

    def write(self) -> Text:
        graph = self.graph
        head = [*map(self._input, graph.inputs)]
        for p in graph.parameters:
            head.append(
                f"{p.kind} {self.names[p.value]}: {self._type(p.value.type)} as {quoted(p.path)}"
            )
        self._head = head
        asserts = [*map(self._obligation, graph.obligations)]
        body = self._statements(graph)
        tail = [self._output(name, value) for name, value in graph.outputs.items()]
        tail += self._updates()
        parts = [
            ["  " + line.replace("\n", "\n  ") + "\n" for line in part]
            for part in (head, asserts, body, tail)
            if part
        ]
        inside = "\n".join("".join(part) for part in parts)
        return Text(f"model {identifier(graph.name)} {{\n{inside}}}\n", self.constants)

    def _statements(self, graph: Graph) -> list[str]:
        lines: list[str] = []
        for node in graph.nodes:
            if isinstance(node.op, Constant):
                self._constant(node, node.op, self._head, lines)
            elif node.op.bodies:
                lines.append(write_control(node, self._spelling()) + self._comment(node))
            else:
                lines.append(self._statement(node, graph))
        return lines

    def _spelling(self) -> Spelling:
        return Spelling(
            self._operand,
            self.names,
            self._aliases,
            self._dims,
            self._statements,
            self._type,
            self._fresh,
            self._target,
        )

    def _input(self, value: Value) -> str:
        line = f"input {self.names[value]}: {self._type(value.type)}"
        default = self.graph.defaults.get(value.name)
        return line if default is None else f"{line} = {attribute_text(default)}"

    def _obligation(self, obligation: Obligation) -> str:
        condition = " or ".join(
            f"{self._attribute(c.left)} {c.relation} {self._attribute(c.right)}"
            for c in obligation.clause
        )
        message = "".join(
            escaped(part) if isinstance(part, str) else f"{{{self._attribute(part)}}}"
            for part in obligation.message
        )
        return f'assert {condition}, "{message}"'

    def _output(self, name: str, value: Value) -> str:
        shown = self._operand(value)
        printed = self.outputs[name]
        return f"output {printed}" if printed == shown else f"output {printed} = {shown}"

    def _updates(self) -> Iterator[str]:
        """An update rebinds its name at once, so a parameter read later is copied before."""
        parameters = {p.path: p.value for p in self.graph.parameters}
        written: set[Value] = set()
        copies: dict[Value, str] = {}
        lines: list[str] = []
        for path, value in self.graph.updates.items():
            if value in written and value not in copies:
                copies[value] = f"{self.names[value]}_before"
            shown = copies.get(value) or self._operand(value)
            lines.append(f"update {self.names[parameters[path]]} = {shown}")
            written.add(parameters[path])
        yield from (f"{copy} = {self.names[value]}" for value, copy in copies.items())
        yield from lines

    def _constant(self, node: Node, op: Constant, head: list[str], body: list[str]) -> None:
        value, array = node.outputs[0], op.value.array
        if not can_write(array):
            if value in self._written:
                return
            number = len(self.constants) + 1
            while f"constant.{number}" in self._paths:
                number += 1
            path = f"constant.{number}"
            self._paths.add(path)
            self.constants[path] = array
            self._written[value] = path
            head.append(
                f"buffer {self.names[value]}: {self._type(value.type)} as {quoted(path)}"
                + self._comment(node)
            )
        elif not _is_inline(array):
            body.append(f"{self.names[value]} = {literal(array)}{self._comment(node)}")

    def _statement(self, node: Node, graph: Graph) -> str:
        op = node.op
        uses, results = graph.uses, graph.result_values
        used = [i for i, v in enumerate(node.outputs) if v in uses or v in results]
        names = [self._target(v) for v in node.outputs[: (used[-1] if used else 0) + 1]]
        target = names[0] if len(names) == 1 else f"({', '.join(names)})"
        if isinstance(op, Dims):
            arguments = [self._attribute(op.dims)]
        else:
            arguments = ["none" if v is None else self._operand(v) for v in node.inputs]
            arguments += [f"{k}={self._attribute(v)}" for k, v in op.attributes().items()]
        domain, name = op.domain or "onnx", type(op).__name__
        return f"{target} = {domain}.{name}({', '.join(arguments)}){self._comment(node)}"

    def _target(self, value: Value) -> str:
        """The name of a result, with its type where that tells of a size."""
        name = self.names[value]
        return f"{name}: {self._type(value.type)}" if value in self._typed else name

    def _operand(self, value: Value) -> str:
        value = self._aliases.get(value, value)
        op = value.node.op if value.node is not None else None
        if isinstance(op, Constant) and can_write(op.value.array) and _is_inline(op.value.array):
            return literal(op.value.array)
        return self.names[value]

    def _comment(self, node: Node) -> str:
        if not self.comments:
            return ""
        types = ", ".join(self._type(v.type) for v in node.outputs)
        parts = [types, node.origin.scope, " ".join(map(str, node.origin.history))]
        return f"  # {'; '.join(part for part in parts if part)}"

    def _type(self, type_: TensorType) -> str:
        if isinstance(type_, SequenceType):
            known = [d for d in type_.sizes or () if d is not None]
            return str(type_.substitute(self._renamed(known)))
        if is_container(type_):
            return str(type_)
        return f"{type_.dtype}[{', '.join(map(self._dim, type_.shape))}]"

    def _dim(self, dim: DimLike) -> str:
        return str(dim) if isinstance(dim, int) else str(substitute(dim, self._renamed([dim])))

    def _renamed(self, dims: Iterable[DimLike]) -> dict[Symbol, DimLike]:
        return {
            s: Symbol(name, s.minimum, s.maximum).dim
            for dim in dims
            if isinstance(dim, Dim)
            for s in dim.symbols()
            if (name := self._dims.get(s, s.name)) != s.name
        }

    def _attribute(self, value: Any) -> str:
        return attribute_text(value, self._dim)


def _is_inline(array: Array) -> bool:
    return array.ndim <= 1 and array.size <= MAX_INLINE
