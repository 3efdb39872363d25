"""One node of a model that is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import onnx

from nncomp.errors import CompileError, error
from nncomp.ir.graph import Value
from nncomp.ir.op import Op
from nncomp.onnx_import.scope import Item, Missing, Scope
from nncomp.records import record
from nncomp.source import Span

if TYPE_CHECKING:
    from nncomp.onnx_import.importer import Importer


@record
class Operation:
    """An operator with what it is given, and where its results go.

    attributes: by name, those of a function's call among them
    operands: None for one that is left out
    span: the node's line in the listing of the model
    """

    importer: Importer
    scope: Scope
    node: onnx.NodeProto
    attributes: Mapping[str, Any]
    operands: Sequence[Item | None]
    span: Span | None

    @property
    def name(self) -> str:
        return self.node.op_type

    def refuse(self, code: str, message: str) -> CompileError:
        return error(code, message, self.span)

    def tensors(self) -> list[Value | None]:
        """Its operands. CompileError NN0804 if some are sequences, or optional and not there."""
        return [self._tensor(item) for item in self.operands]

    def _tensor(self, item: Item | None) -> Value | None:
        if item is None or isinstance(item, Value):
            return item
        absent = isinstance(item, Missing)
        called = "an optional value that is not there" if absent else "a sequence"
        raise self.refuse("NN0804", f"{self.name} gets {called}, which it does not take here")

    def graph(self, name: str) -> onnx.GraphProto:
        """The attribute of that name. CompileError NN0805 if it is no graph."""
        graph = self.attributes.get(name)
        if not isinstance(graph, onnx.GraphProto):
            raise self.refuse("NN0805", f"the attribute `{name}` is no graph")
        return graph

    def become(self, op: Op, operands: Sequence[Value | None]) -> Sequence[Value]:
        """The results of a node of the graph that stands for it. Raises CompileError."""
        return self.importer.add(self.scope, op, operands, tuple(self.node.output)).outputs
