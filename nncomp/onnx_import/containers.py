"""Sequences and optional values: who makes, picks and joins them.

What is known of them element by element exists while importing only, so that tensors are left.
Where a position is no constant, or a sequence is given from outside or goes through a loop, it is a
value of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import onnx

from nncomp.errors import CompileError, error
from nncomp.ir.graph import Value
from nncomp.onnx_import.attributes import make_op
from nncomp.onnx_import.dtypes import dtype_of
from nncomp.onnx_import.operation import Operation
from nncomp.onnx_import.scope import Item, Items, Missing, Scope
from nncomp.ops import REGISTRY
from nncomp.ops.containers import Optional, OptionalGetElement, SequenceConstruct, SequenceEmpty
from nncomp.ops.rules import normalize_axis
from nncomp.ops.shape import Squeeze, Unsqueeze
from nncomp.ops.shape_joining import Concat, Split
from nncomp.types import DType, OptionalType, SequenceType, TensorType, is_container

if TYPE_CHECKING:
    from nncomp.onnx_import.importer import Importer


class _Call:
    """One operator on containers."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.importer = operation.importer
        self.scope = operation.scope
        self.attributes = operation.attributes
        self.operands = operation.operands
        self.span = operation.span

    def into_graph(self) -> Sequence[Item]:
        """The operator as a node of the graph."""
        attributes = dict(self.attributes)
        proto = attributes.get("type")
        if isinstance(proto, onnx.TypeProto):
            attributes["type"] = self.importer.signatures.type(
                proto, "content", "`type`", self.span
            )
        cls = REGISTRY[self.operation.name]
        op = make_op(cls, attributes, self.importer.file.folder, self.span)
        return self.operation.become(op, wholes(self.operation))

    def refuse(self, message: str) -> CompileError:
        return self.operation.refuse("NN0804", f"{self.operation.name}: {message}")

    def operand(self, index: int) -> Item | None:
        return self.operands[index] if index < len(self.operands) else None

    def items(self, index: int = 0) -> tuple[Value, ...]:
        item = self.operand(index)
        if isinstance(item, Value) and isinstance(item.type, SequenceType):
            raise _OfGraph
        if not isinstance(item, Items):
            raise self.refuse(f"operand {index + 1} is no sequence")
        return item.values

    def tensor(self, index: int) -> Value:
        item = self.operand(index)
        if not isinstance(item, Value) or is_container(item.type):
            raise self.refuse(f"operand {index + 1} is no tensor")
        return item

    def position(self, index: int, length: int, behind: bool = False) -> int:
        """A constant place in a sequence of that length, or behind its last element."""
        array = self.importer.contents.array(self.tensor(index))
        elements = self.tensor(index).type.elements
        if array is not None and array.size == 1 and array.dtype.kind in "iu":
            place = int(array.reshape(()))
        elif elements is not None and len(elements) == 1 and isinstance(elements[0], int):
            place = elements[0]
        else:
            raise _OfGraph
        if not -length <= place < length + behind:
            raise self.refuse(f"position {place} is not in a sequence of {length}")
        return place + length if place < 0 else place

    def axis(self, rank: int) -> int:
        axis = self.attributes.get("axis", 0)
        if not isinstance(axis, int):
            raise error("NN0805", f"`axis` of {self.operation.name} is no int", self.span)
        return normalize_axis(axis, rank) if -rank <= axis < rank else self._wrong_axis(axis, rank)

    def _wrong_axis(self, axis: int, rank: int) -> int:
        raise error("NN0210", f"axis {axis} is out of range for {rank} dimensions", self.span)


def _empty(call: _Call) -> Item:
    number = call.attributes.get("dtype", onnx.TensorProto.FLOAT)
    if not isinstance(number, int):
        raise error("NN0805", "`dtype` of SequenceEmpty is no int", call.span)
    return Items((), dtype_of(number, "SequenceEmpty", call.span))


def _construct(call: _Call) -> Item:
    return _sequence(call, [call.tensor(i) for i in range(len(call.operands))])


def _sequence(call: _Call, values: Sequence[Value], dtype: DType = DType.F32) -> Item:
    for value in values:
        if value.type.dtype is not values[0].type.dtype:
            both = f"{values[0].type} and {value.type}"
            raise error("NN0203", f"a sequence has tensors of one dtype, not {both}", call.span)
    return Items(tuple(values), values[0].type.dtype if values else dtype)


def _at(call: _Call) -> Item:
    values = call.items()
    if not values:
        raise call.refuse("the sequence is empty")
    return values[call.position(1, len(values))]


def _insert(call: _Call) -> Item:
    values = list(call.items())
    place = len(values)
    if call.operand(2) is not None:
        place = call.position(2, len(values), behind=True)
    values.insert(place, call.tensor(1))
    return _sequence(call, values)


def _erase(call: _Call) -> Item:
    values = list(call.items())
    if not values:
        raise call.refuse("the sequence is empty")
    dtype = values[0].type.dtype
    del values[-1 if call.operand(1) is None else call.position(1, len(values))]
    return _sequence(call, values, dtype)


def _length(call: _Call) -> Item:
    return call.scope.b.constant(len(call.items()), DType.I64)


def _concat(call: _Call) -> Item:
    values, b = call.items(), call.scope.b
    if not values:
        raise call.refuse("an empty sequence cannot be joined")
    new = call.attributes.get("new_axis", 0)
    axis = call.axis(values[0].rank + bool(new))
    if new:
        values = tuple(b(Unsqueeze(), value, b.ints(axis)) for value in values)
    return call.importer.add(call.scope, Concat(axis), values).outputs[0]


def _split(call: _Call) -> Item:
    x, b = call.tensor(0), call.scope.b
    axis, sizes = call.axis(x.rank), call.operand(1)
    length = x.shape[axis]
    if isinstance(sizes, Value):
        contents = call.importer.contents.told(b, sizes, False).type.elements
        if contents is None:
            raise _OfGraph
        if sizes.rank:
            parts = list(contents)
        elif isinstance(length, int) and isinstance(contents[0], int) and contents[0] > 0:
            size = contents[0]
            starts = range(0, length, size)[: _MOST + 1]
            parts = [min(size, length - start) for start in starts]
        else:
            raise _OfGraph
    elif isinstance(length, int) and length <= _MOST:
        parts = [1] * length
    else:
        raise _OfGraph
    if not parts or len(parts) > _MOST:
        raise call.refuse(f"a sequence of {len(parts)} tensors")
    pieces = call.importer.add(call.scope, Split(axis), [x, b.dims(parts)]).outputs
    if sizes is None and call.attributes.get("keepdims", 1) == 0:
        pieces = tuple(b(Squeeze(), piece, b.ints(axis)) for piece in pieces)
    return _sequence(call, pieces)


_MOST = 10_000  # tensors in a sequence that is split off


def _optional(call: _Call) -> Item:
    item = call.operand(0)
    if item is not None:
        return item
    proto = call.attributes.get("type")
    if not isinstance(proto, onnx.TypeProto):
        return Missing()
    return Missing(call.importer.signatures.type(proto, "content", "`type`", call.span))


def _has(call: _Call) -> Item:
    item = call.operand(0)
    if isinstance(item, Value) and isinstance(item.type, OptionalType):
        raise _OfGraph
    there = item is not None and not isinstance(item, Missing)
    return call.scope.b.constant(there, DType.BOOL)


def _get(call: _Call) -> Item:
    item = call.operand(0)
    if isinstance(item, Value) and isinstance(item.type, OptionalType):
        raise _OfGraph
    if item is None or isinstance(item, Missing):
        raise call.refuse("the optional value is not there")
    return item


def _identity(call: _Call) -> Item | None:
    item = call.operand(0)
    return None if isinstance(item, Value) else item


READERS: dict[str, Callable[[_Call], Item | None]] = {
    "SequenceEmpty": _empty,
    "SequenceConstruct": _construct,
    "SequenceAt": _at,
    "SequenceInsert": _insert,
    "SequenceErase": _erase,
    "SequenceLength": _length,
    "ConcatFromSequence": _concat,
    "SplitToSequence": _split,
    "Optional": _optional,
    "OptionalHasElement": _has,
    "OptionalGetElement": _get,
    "Identity": _identity,
}


def read(operation: Operation) -> Sequence[Item] | None:
    """The result of an operator on containers; None where its operand is a tensor, for which it is
    an ordinary operator. CompileError NN0804."""
    call = _Call(operation)
    try:
        result = READERS[operation.name](call)
    except _OfGraph:
        return call.into_graph()
    return None if result is None else [result]


class _OfGraph(Exception):  # noqa: N818 - no error
    """What is not known while importing: the operator stays one."""


def wholes(operation: Operation) -> list[Value | None]:
    """The operands, each as one value."""
    importer, scope = operation.importer, operation.scope
    return [None if v is None else whole(importer, scope, v) for v in operation.operands]


def whole(importer: Importer, scope: Scope, item: Item, wanted: TensorType | None = None) -> Value:
    """What is known in parts as one value of the graph; as an optional one, or as what is in one,
    where that is wanted.

    CompileError NN0804 for what is not there and of which nothing is known.
    """
    if isinstance(item, Missing):
        content = wanted.content if isinstance(wanted, OptionalType) else item.content
        if content is None:
            raise error("NN0804", "nothing says what the optional value is that is not there")
        return scope.b(Optional(content))
    if isinstance(item, Items):
        if item.values:
            item = importer.add(scope, SequenceConstruct(), item.values).outputs[0]
        else:
            item = scope.b(SequenceEmpty(item.dtype))
    if isinstance(wanted, SequenceType) and isinstance(item.type, OptionalType):
        return importer.add(scope, OptionalGetElement(), [item]).outputs[0]
    if isinstance(wanted, OptionalType) and not isinstance(item.type, OptionalType):
        return importer.add(scope, Optional(), [item]).outputs[0]
    return item
