"""What is known of small tensors while importing: constants computed, comparisons of sizes.

A shape that a model computes from constants, or by comparing sizes, must be known before the
operators that it shapes can be typed. Most of it is in the types already; this adds what they do
not carry: truth values, numbers between floats, results of any operator on constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nncomp.dims import DimLike, Symbol, bounds, equal, substitute
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.constant import MAX_ELEMENTS, Constant
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op
from nncomp.ops.conversion import Cast
from nncomp.types import Array, DType, TensorType, is_container

Evaluate = Callable[[Op, Sequence[Array | None]], tuple[Array, ...]]
MAX_COMPUTED = 4096
"""Elements of a constant that is computed while importing."""

Known = tuple[DimLike | bool, ...]
Rule = Callable[[Op, list[Known]], Known | None]


class Contents:
    """Remembers what is known of each value.

    evaluate: runs one operator on arrays
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._arrays: dict[Value, Array] = {}
        self._known: dict[Value, Known] = {}
        self._open: dict[Node, None] = {}  # comparisons whose answer is not known yet

    def array(self, value: Value) -> Array | None:
        """The contents of a constant, or of what was computed from constants."""
        if value.node is not None and isinstance(value.node.op, Constant):
            return value.node.op.value.array
        found = self._arrays.get(value)
        return _array_of(value.type) if found is None else found

    def truth(self, value: Value) -> bool | None:
        """What a condition is, if that is known."""
        array = self.array(value)
        if array is not None and array.size == 1:
            return bool(array.reshape(()))
        known = self._known.get(value)
        return bool(known[0]) if known is not None and len(known) == 1 else None

    def is_of_sizes(self, value: Value) -> bool:
        """Whether a condition compares sizes, known or not, and nothing else."""
        node = value.node
        return (
            node is not None
            and node.op.name in _RULES
            and all(self._elements(v) is not None or self.is_of_sizes(v) for v in node.operands)
        )

    def learn(self, node: Node) -> None:
        """Takes note of what a new node gives."""
        op = node.op
        if isinstance(op, Constant) or not op.pure or op.bodies or not node.inputs:
            return
        if any(is_container(v.type) for v in (*node.operands, *node.outputs)):
            return
        arrays = [None if v is None else self.array(v) for v in node.inputs]
        if all(v is None or a is not None for v, a in zip(node.inputs, arrays, strict=True)):
            self._compute(node, arrays)
        elif len(node.outputs) == 1 and op.name in _RULES and _is_small(node.outputs[0]):
            operands = [self._elements(v) for v in node.operands]
            if all(e is not None for e in operands):
                size = math.prod(node.outputs[0].type.static_shape)
                wide = [e * size if len(e) == 1 else e for e in operands if e is not None]
                found = _RULES[op.name](op, [e[:size] for e in wide])
                if found is not None and len(found) == size:
                    self._known[node.outputs[0]] = found
                    self._open.pop(node, None)
                    return
            self._open[node] = None

    def _compute(self, node: Node, arrays: Sequence[Array | None]) -> None:
        types = [v.type for v in node.outputs]
        if not all(t.is_static and math.prod(t.static_shape) <= MAX_COMPUTED for t in types):
            return
        if sum(a.size for a in arrays if a is not None) > MAX_COMPUTED:
            return
        try:
            results = self._evaluate(node.op, arrays)
        except CompileError:  # it will fail again where it is run, with its place
            return
        self._arrays.update(zip(node.outputs, results, strict=False))

    def _elements(self, value: Value) -> Known | None:
        array = self.array(value)
        if array is not None and array.dtype.kind in "iub" and array.size <= MAX_ELEMENTS:
            return tuple(array.reshape(-1).tolist())
        return self._known.get(value, value.type.elements)

    def substitute(self, values: Mapping[Symbol, DimLike]) -> None:
        """Symbols are found to have a value."""
        self._known = {
            value: tuple(e if isinstance(e, bool) else substitute(e, values) for e in known)
            for value, known in self._known.items()
        }
        for node in list(self._open):
            self.learn(node)

    def told(self, b: Builder, value: Value, floats: bool) -> Value:
        """The operand, or a constant (or dims) of the same contents where its type lacks them.

        floats: whether its operator must know floating contents too
        """
        type_ = value.type
        if type_.rank > 1 or type_.elements is not None or type_.floats is not None:
            return value
        if type_.dtype.is_float and not floats:
            return value
        if value in self._arrays and self._arrays[value].size <= MAX_ELEMENTS:
            return b.constant(self._arrays[value], name=value.name)
        known = self._known.get(value)
        if known is not None and type_.dtype is DType.I64 and type_.rank == 1:
            return b.dims([int(d) if isinstance(d, bool) else d for d in known])
        return value


def _array_of(type_: TensorType) -> Array | None:
    """The contents that a type knows, where all are numbers: a shape that a Pad's sizes are made
    of is reshaped and turned around on the way, to ranks at which types know nothing."""
    if is_container(type_) or type_.elements is None:
        return None
    if not all(isinstance(e, int) for e in type_.elements):
        return None
    return np.array(type_.elements, type_.dtype.numpy).reshape(type_.static_shape)


def _is_small(value: Value) -> bool:
    type_ = value.type
    return (
        type_.rank <= 1
        and type_.elements is None
        and not type_.dtype.is_float
        and type_.is_static
        and math.prod(type_.static_shape) <= MAX_ELEMENTS
    )


def _compared(holds: Callable[[DimLike, DimLike], bool | None]) -> Rule:
    def rule(op: Op, operands: list[Known]) -> Known | None:
        left, right = operands
        found = [holds(a, b) for a, b in zip(left, right, strict=True)]
        return None if None in found else tuple(f for f in found if f is not None)

    return rule


def _less(a: DimLike, b: DimLike) -> bool | None:
    low, high = bounds(a - b)
    if high is not None and high < 0:
        return True
    return False if low is not None and low >= 0 else None


def _negated(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _where(op: Op, operands: list[Known]) -> Known | None:
    chosen = zip(*operands, strict=True)
    return tuple(a if condition else b for condition, a, b in chosen)


def _cast(op: Op, operands: list[Known]) -> Known | None:
    assert isinstance(op, Cast)
    if op.to.is_int:
        return tuple(int(e) if isinstance(e, bool) else e for e in operands[0])
    if op.to is DType.BOOL and all(isinstance(e, int) for e in operands[0]):
        return tuple(bool(e) for e in operands[0])
    return None


def _logical(function: Callable[..., bool]) -> Rule:
    def rule(op: Op, operands: list[Known]) -> Known | None:
        if not all(isinstance(e, bool) for operand in operands for e in operand):
            return None
        return tuple(bool(function(*row)) for row in zip(*operands, strict=True))

    return rule


_RULES: dict[str, Rule] = {
    "Equal": _compared(equal),
    "Less": _compared(_less),
    "Greater": _compared(lambda a, b: _less(b, a)),
    "GreaterOrEqual": _compared(lambda a, b: _negated(_less(a, b))),
    "LessOrEqual": _compared(lambda a, b: _negated(_less(b, a))),
    "Where": _where,
    "Cast": _cast,
    "Not": _logical(lambda a: not a),
    "And": _logical(lambda a, b: a and b),
    "Or": _logical(lambda a, b: a or b),
    "Xor": _logical(np.logical_xor),
    "Identity": lambda op, operands: operands[0],
}
