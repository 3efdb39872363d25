"""Building graphs: appends nodes, inferring their types and reporting errors with spans."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from nncomp.dims import DimLike, Symbol, equal, substitute, symbols_in, undecided
from nncomp.errors import CompileError, Diagnostic, Note, error
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import NOWHERE, Node, Origin, Value
from nncomp.ir.op import Data, InferError, Op, parse_signature
from nncomp.ir.opaque import Opaque
from nncomp.types import NARROW, Array, DType, TensorType, is_container

MAX_RANK = 64  # as in NumPy
MAX_ELEMENTS = 2**63 - 1
Input = Value | int | float | None


class At:
    """`with`: nodes that the builder adds inside have this origin. (A generator would take
    several times as long, and this is done for every expression of a program.)"""

    __slots__ = ("_before", "_builder", "_origin")

    def __init__(self, builder: Builder, origin: Origin) -> None:
        self._builder = builder
        self._origin = origin

    def __enter__(self) -> None:
        self._before = self._builder.origin
        self._builder.origin = self._origin

    def __exit__(self, *_: object) -> None:
        self._builder.origin = self._before


class Builder:
    """Collects nodes in order. `b(Add(), x, 1.0)` adds a node and gives its (first) result.

    A Python number as operand becomes a rank-0 constant of the other operands' dtype.
    `origin` is given to each node added.
    """

    def __init__(self, origin: Origin = NOWHERE) -> None:
        self.nodes: list[Node] = []
        self.origin = origin
        self._constants: dict[Data, Value] = {}
        self._ints: dict[tuple[int, ...], Value] = {}
        self._dims: dict[Dims, Value] = {}
        self._inferred: dict[Hashable, tuple[TensorType, ...]] = {}

    def __call__(self, op: Op, *inputs: Input, name: str = "") -> Value:
        """Adds a node; its first result."""
        return self.add(op, inputs, (name,)).outputs[0]

    def multi(self, op: Op, *inputs: Input, names: tuple[str, ...] = ()) -> tuple[Value, ...]:
        """Adds a node; all its results."""
        return self.add(op, inputs, names).outputs

    def add(self, op: Op, inputs: Sequence[Input], names: tuple[str, ...] = ()) -> Node:
        values = self._values(inputs)
        while values and values[-1] is None:
            values.pop()
        return self.append(Node(op, tuple(values), self.infer(op, values), self.origin, names))

    def append(self, node: Node) -> Node:
        """Adds a node that exists already."""
        self.nodes.append(node)
        return node

    def infer(self, op: Op, values: Sequence[Value | None]) -> tuple[TensorType, ...]:
        """Result types, or a CompileError that points at where the operands came from. What was
        inferred once is known: networks repeat their layers."""
        key = (op, *[None if v is None else _whole(v.type) for v in values])
        known = self._inferred.get(key)
        if known is not None:
            return known
        try:
            _check_arity(op, values)
            _check_kinds(op, values)
            result = op.infer(*(None if v is None else v.type for v in values))
            types = result if isinstance(result, tuple) else (result,)
            _check_sizes(types)
        except InferError as failure:
            with undecided():  # what a hint compares is not what the operator needs
                report = _report(failure, op, values, self.origin)
            raise report from None
        if _follows(types, values):
            self._inferred[key] = types
        return types

    def forget(self) -> None:
        """Forgets what was inferred: more is known of the symbols in it."""
        self._inferred.clear()

    def at(self, origin: Origin) -> At:
        """Gives `origin` to the nodes added inside."""
        return At(self, origin)

    @overload
    def constant(self, value: Array | Data, *, name: str = "") -> Value: ...
    @overload
    def constant(self, value: int | float | bool, dtype: DType, *, name: str = "") -> Value: ...
    @overload
    def constant(self, value: Sequence[int], dtype: DType, *, name: str = "") -> Value: ...
    def constant(
        self,
        value: Array | Data | float | Sequence[int],
        dtype: DType | None = None,
        *,
        name: str = "",
    ) -> Value:
        """A constant; equal ones are shared."""
        try:
            numpy = None if dtype is None else dtype.numpy
            data = value if isinstance(value, Data) else Data(np.asarray(value, numpy))
        except OverflowError:
            span = self.origin.spans[0] if self.origin.spans else None
            raise error("NN0005", f"{value} does not fit into {dtype}", span) from None
        known = self._constants.get(data)
        if known is None:
            with self.at(Origin(scope=self.origin.scope)):
                known = self._constants[data] = self(Constant(data), name=name)
        return known

    def ints(self, *values: int) -> Value:
        """An i64 vector constant: axes, pads, splits."""
        known = self._ints.get(values)
        if known is None:
            known = self._ints[values] = self.constant(values, DType.I64)
        return known

    def dims(self, shape: Sequence[DimLike]) -> Value:
        """An i64 vector of dims, constant where all are known."""
        known = [d for d in shape if isinstance(d, int)]
        if len(known) == len(shape):
            return self.ints(*known)
        op = Dims(tuple(shape))
        if op not in self._dims:
            self._dims[op] = self(op)
        return self._dims[op]

    def substitute(self, values: Mapping[Symbol, DimLike]) -> None:
        """Gives symbols a value in all that was built, in place: only while nobody else holds the
        nodes. (What a foreign model must mean by its sizes may show late.)"""
        self.forget()
        for node in self.nodes:
            _substitute(node, values)
        self._dims = {
            op: value for op, value in self._dims.items() if not symbols_in(op.dims) & values.keys()
        }

    def _values(self, inputs: Sequence[Input]) -> list[Value | None]:
        if all(isinstance(v, Value) for v in inputs):
            return [*inputs]  # type: ignore[list-item]
        dtype = weak_dtype(inputs) or DType.F32
        return [v if v is None or isinstance(v, Value) else self.constant(v, dtype) for v in inputs]


def substitute_bodies(op: Op, values: Mapping[Symbol, DimLike]) -> None:
    """The same as `Builder.substitute`, in the bodies of an operator that nobody else holds."""
    for body in op.bodies:
        for value in body.inputs:
            value.type = value.type.substitute(values)
        for node in body.nodes:
            _substitute(node, values)


def _substitute(node: Node, values: Mapping[Symbol, DimLike]) -> None:
    for value in node.outputs:
        value.type = value.type.substitute(values)
    if isinstance(node.op, Dims):
        node.op = Dims(tuple(substitute(d, values) for d in node.op.dims))
    elif isinstance(node.op, Opaque):
        types = tuple(t.substitute(values) for t in node.op.types)
        node.op = replace(node.op, types=types)
    substitute_bodies(node.op, values)


def _whole(type_: TensorType) -> Hashable:
    """All that a type says: what is known of the contents is no part of its identity."""
    if type_.elements is None and type_.floats is None:
        return type_
    return type_, type_.elements, type_.floats


def _follows(types: Sequence[TensorType], values: Iterable[Value | None]) -> bool:
    """Whether the types follow from the operands: a size that a run tells is another each time."""
    if any(map(is_container, types)):
        return False
    own = {s for t in types for s in symbols_in((*t.shape, *(t.elements or ())))}
    if not own:
        return True
    given = (v.type for v in values if v is not None)
    return own <= {s for t in given for s in symbols_in((*t.shape, *(t.elements or ())))}


def weak_dtype(operands: Iterable[object]) -> DType | None:
    """The dtype that numbers among the operands take: the first tensor's that is not bool."""
    dtypes = [v.type.dtype for v in operands if isinstance(v, Value)]
    return next((d for d in dtypes if d is not DType.BOOL), dtypes[0] if dtypes else None)


def _check_arity(op: Op, values: Sequence[Value | None]) -> None:
    formal = parse_signature(op.signature)
    if formal.most is not None and len(values) > formal.most:
        raise InferError("NN0702", f"{op.name} takes {formal.most} operands, not {len(values)}")
    for i in formal.needed:
        if i >= len(values) or values[i] is None:
            raise InferError("NN0702", f"{op.name} lacks its operand `{formal.operands[i].name}`")


def _check_kinds(op: Op, values: Sequence[Value | None]) -> None:
    """Special dtypes and containers reach only the operators that take them."""
    for index, value in enumerate(values):
        if value is None:
            continue
        if value.type.dtype.is_special and value.type.dtype not in op.takes:
            narrow = value.type.dtype in NARROW
            raise InferError(
                "NN0203",
                f"{op.name} does not take {value.type}",
                operand=index,
                help="convert it with `cast`" if narrow else None,
            )
        if is_container(value.type) and not op.containers:
            raise InferError("NN0203", f"{op.name} takes tensors, not {value.type}", operand=index)


def _check_sizes(types: Sequence[TensorType]) -> None:
    for type_ in types:
        known = 1
        for dim in type_.shape:
            if dim.__class__ is int and dim:
                known *= dim
        if known > MAX_ELEMENTS:
            raise InferError("NN0008", f"a tensor {type_} would have over 2**63 elements")
        if len(type_.shape) > MAX_RANK:
            raise InferError("NN0204", f"a tensor has at most {MAX_RANK} dimensions")


def _report(
    failure: InferError, op: Op, values: Sequence[Value | None], origin: Origin
) -> CompileError:
    notes: list[Note] = []
    hint = failure.help
    pair = (failure.operand, failure.against)
    for operand, other in (pair, pair[::-1]):
        value = None if operand is None or notes else values[operand]
        source = value and _where_changed(value, failure.axis)
        if operand is not None and source and source.node and source.node.origin.spans:
            notes.append(
                Note(
                    f"the {_ordinal(operand)} operand became {source.type} here",
                    source.node.origin.spans[0],
                    source.node.op.name,
                )
            )
            wanted = None if other is None else values[other]
            if value is not None and wanted is not None and failure.axis is not None:
                hint = (
                    _kept_axes(source.node, wanted)
                    or hint
                    or _missing_pad(source.node.op, value, wanted, failure.axis)
                )
    span = origin.spans[0] if origin.spans else None
    message = failure.message if span else f"{op.name}: {failure.message}"
    return CompileError(Diagnostic(failure.code, message, span, failure.label, tuple(notes), hint))


def _missing_pad(op: Op, value: Value, wanted: Value, axis: int) -> str | None:
    """What to do where a window has taken just the border that the other side still has."""
    kernel = getattr(op, "kernel_shape", ())
    if axis >= 0 or -axis > min(len(kernel), wanted.rank):
        return None
    reach = (kernel[axis] - 1) * (getattr(op, "dilations", ()) or [1] * len(kernel))[axis]
    if not reach or reach % 2 or equal(wanted.shape[axis] - value.shape[axis], reach) is not True:
        return None
    return f"did you mean `pad={reach // 2}`? It keeps the size"


def _kept_axes(node: Node, wanted: Value) -> str | None:
    """What to do where what is left of a tensor meets the tensor itself, as in x / sum(x, 1)."""
    whole = node.inputs[0] if node.inputs else None  # dims and constants have none
    if getattr(node.op, "keepdims", 1) or whole is None or whole.shape != wanted.shape:
        return None
    return "`keepdims=true` leaves an axis of size 1 where one is reduced, which fits any size"


def _ordinal(index: int) -> str:
    return ("first", "second", "third")[index] if index < 3 else f"{index + 1}th"


def _where_changed(value: Value, axis: int | None) -> Value | None:
    """The value, up the chain of first operands, at which the size along `axis` last changed."""
    if axis is None or not -value.rank <= axis < value.rank:
        return value
    while value.node is not None:
        above = value.node.inputs[0] if value.node.inputs else None
        if above is None or above.rank != value.rank:
            return value
        if equal(above.shape[axis], value.shape[axis]) is not True:
            return value
        value = above
    return value
