"""Sequences and optional values, which exist while importing only: who makes, picks and joins them.

A sequence is known element by element, so that positions must be constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import onnx

from nncomp.errors import CompileError, error
from nncomp.ir.graph import Value
from nncomp.onnx_import.scope import Item, Items, Missing, Scope
from nncomp.ops.rules import normalize_axis
from nncomp.ops.shape import Squeeze, Unsqueeze
from nncomp.ops.shape_joining import Concat, Split
from nncomp.source import Span
from nncomp.types import DType

if TYPE_CHECKING:
    from nncomp.onnx_import.importer import Importer


class _Call:
    """One operator on containers."""

    def __init__(
        self,
        importer: Importer,
        scope: Scope,
        node: onnx.NodeProto,
        attributes: Mapping[str, Any],
        operands: Sequence[Item | None],
        span: Span | None,
    ) -> None:
        self.importer = importer
        self.scope = scope
        self.node = node
        self.attributes = attributes
        self.operands = operands
        self.span = span

    def refuse(self, message: str) -> CompileError:
        return error("NN0804", f"{self.node.op_type}: {message}", self.span)

    def operand(self, index: int) -> Item | None:
        return self.operands[index] if index < len(self.operands) else None

    def items(self, index: int = 0) -> tuple[Value, ...]:
        item = self.operand(index)
        if not isinstance(item, Items):
            raise self.refuse(f"operand {index + 1} is no sequence")
        return item.values

    def tensor(self, index: int) -> Value:
        item = self.operand(index)
        if not isinstance(item, Value):
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
            raise self.refuse("the position in a sequence must be a constant")
        if not -length <= place < length + behind:
            raise self.refuse(f"position {place} is not in a sequence of {length}")
        return place + length if place < 0 else place

    def axis(self, rank: int) -> int:
        axis = self.attributes.get("axis", 0)
        if not isinstance(axis, int):
            raise error("NN0805", f"`axis` of {self.node.op_type} is no int", self.span)
        return normalize_axis(axis, rank) if -rank <= axis < rank else self._wrong_axis(axis, rank)

    def _wrong_axis(self, axis: int, rank: int) -> int:
        raise error("NN0210", f"axis {axis} is out of range for {rank} dimensions", self.span)


def _construct(call: _Call) -> Item:
    return Items(tuple(call.tensor(i) for i in range(len(call.operands))))


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
    return Items(tuple(values))


def _erase(call: _Call) -> Item:
    values = list(call.items())
    if not values:
        raise call.refuse("the sequence is empty")
    del values[-1 if call.operand(1) is None else call.position(1, len(values))]
    return Items(tuple(values))


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
            raise call.refuse("the sizes of the parts must be constants")
        if sizes.rank:
            parts = list(contents)
        elif isinstance(length, int) and isinstance(contents[0], int) and contents[0] > 0:
            size = contents[0]
            starts = range(0, length, size)[: _MOST + 1]
            parts = [min(size, length - start) for start in starts]
        else:
            raise call.refuse(f"how many parts {length} elements make is not known")
    elif isinstance(length, int) and length <= _MOST:
        parts = [1] * length
    else:
        raise call.refuse(f"how many parts {length} elements make is not known")
    if not parts or len(parts) > _MOST:
        raise call.refuse(f"a sequence of {len(parts)} tensors")
    pieces = call.importer.add(call.scope, Split(axis), [x, b.dims(parts)]).outputs
    if sizes is None and call.attributes.get("keepdims", 1) == 0:
        pieces = tuple(b(Squeeze(), piece, b.ints(axis)) for piece in pieces)
    return Items(pieces)


_MOST = 10_000  # tensors in a sequence that is split off


def _optional(call: _Call) -> Item:
    return call.operand(0) or Missing()


def _has(call: _Call) -> Item:
    there = not isinstance(call.operand(0) or Missing(), Missing)
    return call.scope.b.constant(there, DType.BOOL)


def _get(call: _Call) -> Item:
    item = call.operand(0)
    if item is None or isinstance(item, Missing):
        raise call.refuse("the optional value is not there")
    return item


def _identity(call: _Call) -> Item | None:
    item = call.operand(0)
    return None if isinstance(item, Value) else item


READERS: dict[str, Callable[[_Call], Item | None]] = {
    "SequenceEmpty": lambda call: Items(()),
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


def read(
    importer: Importer,
    scope: Scope,
    node: onnx.NodeProto,
    attributes: Mapping[str, Any],
    operands: Sequence[Item | None],
    span: Span | None,
) -> Sequence[Item] | None:
    """The result of an operator on containers; None where its operand is a tensor, for which it is
    an ordinary operator. CompileError NN0804 for what is not known while importing."""
    call = _Call(importer, scope, node, attributes, operands, span)
    result = READERS[node.op_type](call)
    return None if result is None else [result]
