"""Operators as a person would write them, where that is exactly the same operator."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from nncomp.decompile.functions import (
    FUNCTIONS,
    array_of,
    dims_pieces,
    function_of,
    literal_of,
    size_pieces,
)
from nncomp.decompile.pieces import MINUS, NOT, Chain, Hole, Pieces, Stage, joined
from nncomp.decompile.plain import dim_as_number
from nncomp.dims import Dim
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Node, Value
from nncomp.ir.literals import attribute_text, literal, number_text
from nncomp.ir.naming import identifier
from nncomp.ir.op import Op
from nncomp.types import DType, TensorType

Operand = Callable[[Value], Pieces]
Side = Callable[[Value, int], Pieces]

_ARITHMETIC = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "MatMul": "@", "Pow": "**"}
_COMPARISONS = {
    "Equal": "==",
    "Less": "<",
    "LessOrEqual": "<=",
    "Greater": ">",
    "GreaterOrEqual": ">=",
    "And": "and",
    "Or": "or",
}
_OPERATORS = _ARITHMETIC | _COMPARISONS
_TIGHTNESS = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6, "@": 6, "**": 8}
_TIGHTNESS |= dict.fromkeys(("==", "<", "<=", ">", ">="), 4)
_CHAINED = ("+", "-", "*", "/", "@", "and", "or")
_CALLED = {"Concat", "Where", "Not", "Neg"}  # whose first operand is not the subject
_SIZED = {"Reshape", "Expand", "Split", "Slice", "ConstantOfShape", "Tile"}
_OF_TWO = {"Max": "maximum", "Min": "minimum", "PRelu": "prelu"}


# What a result is called, where the operator's own name is that of a function.
_RESULTS = {
    "Reshape": "reshaped",
    "Transpose": "transposed",
    "Softmax": "weights",
    "Where": "chosen",
    "Concat": "joined",
    "Unsqueeze": "unsqueezed",
    "Squeeze": "squeezed",
    "Slice": "part",
    "Expand": "expanded",
    "Gather": "gathered",
    "Mul": "product",
    "MatMul": "product",
    "Add": "total",
    "Sub": "difference",
    "Div": "quotient",
    "Pow": "power",
    "Range": "places",
    "Cast": "converted",
    "Split": "part",
    "Pad": "padded",
    "Tile": "tiled",
    "And": "both",
    "Or": "either",
    "Not": "opposite",
    "Neg": "negated",
    "Max": "larger",
    "Min": "smaller",
    "PRelu": "h",
    "Square": "squares",
    "Equal": "same",
    "IsNaN": "is_nan",
    "Clip": "clipped",
    "ReduceMean": "average",
    "ReduceSum": "whole",
    "ReduceMax": "largest",
    "MaxPool": "pooled",
    "AveragePool": "pooled",
    "GlobalAveragePool": "pooled",
}


def result_name(node: Node) -> str:
    """What to call the result."""
    name = type(node.op).__name__
    if name in _RESULTS:
        return _RESULTS[name]
    return "h" if name in FUNCTIONS else identifier(words(name))


def words(name: str) -> str:
    """`LayerNorm` -> `layer_norm`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def subject_of(node: Node) -> Value | None:
    """The operand that would come through a pipe."""
    if node.op.name in _OPERATORS and operator_of(node):
        return None
    if _is_called(node):
        return None
    first = node.inputs[0] if node.inputs else None
    return None if first is None or literal_of(first) is not None else first


def spell(node: Node, operand: Operand, subject: Chain | None, side: Side | None = None) -> Chain:
    """The node as an expression.

    operand: how a value is written where it is read; side: beside an operator that binds so
        tightly, if not the same
    subject: what comes through the pipe, if `subject_of` names a value
    """
    symbol = operator_of(node)
    if symbol:
        left, right = node.operands
        tightness = _TIGHTNESS[symbol]
        chained = symbol in _CHAINED  # `a - b - c` is `(a - b) - c`
        first = _side(left, node, operand, side, tightness + (not chained))
        second = _side(right, node, operand, side, tightness + 1)
        return Chain([*first, f" {symbol} ", *second], tightness=tightness)
    if _is_called(node):
        return _called(node, operand)
    friendly = function_of(node)
    if friendly is not None and subject is not None:
        return Chain(subject.head, [*subject.stages, friendly], subject.tightness)
    callee: Pieces = [_callee(node)]
    if isinstance(node.op, Dims):
        return Chain([*callee, "(", *dims_pieces(node.op.dims), ")"])
    piped = subject is not None and bool(subject.stages or subject.loose)
    rest: list[Pieces] = [
        ["none"] if v is None else operand_pieces(node, i, v, operand)
        for i, v in enumerate(node.inputs)
        if i or subject is None
    ]
    if subject is not None and not piped:
        rest.insert(0, subject.head)
    arguments = joined([*rest, *_attributes(node.op)])
    if subject is not None and piped:
        return Chain(subject.head, [*subject.stages, Stage(callee, arguments)], subject.tightness)
    return Chain([*callee, "(", *arguments, ")"])


def _callee(node: Node) -> str:
    """The function of the library with the operator's own operands, else the operator."""
    op = node.op
    if op.domain or len(node.operands) != 2:
        return f"{op.domain or 'onnx'}.{type(op).__name__}"
    x, other = node.operands
    if op.name in _OF_TWO and (op.name != "PRelu" or x.type.dtype.is_float):
        return _OF_TWO[op.name]
    if op.name == "Expand" and literal_of(other) is not None and other.type.elements:
        return "expand"
    return f"onnx.{type(op).__name__}"


def _is_called(node: Node) -> bool:
    """Whether the node has a form of its own; `-` of what is written out would be a number."""
    if node.op.domain or node.op.name not in _CALLED:
        return False
    return node.op.name != "Neg" or literal_of(node.operands[0]) is None


def _called(node: Node, operand: Operand) -> Chain:
    """`where(c, a, b)`, `concat([a, b], axis=1)`, `not c`, `-x`."""
    parts = [operand_pieces(node, i, v, operand) for i, v in enumerate(node.operands)]
    if node.op.name == "Not":
        return Chain(["not ", *parts[0]], tightness=NOT)
    if node.op.name == "Neg":
        return Chain(["-", *parts[0]], tightness=MINUS)
    if node.op.name == "Where":
        return Chain(["where(", *joined(parts), ")"])
    axis = node.op.attributes().get("axis")
    return Chain(["concat([", *joined(parts), f"], axis={axis})"])


def operator_of(node: Node) -> str:
    """The operator of the language that is this node, "" if none is."""
    symbol = _OPERATORS.get(node.op.name, "")
    if not symbol or node.op.domain or len(node.operands) != 2:
        return ""
    dtype = node.operands[0].type.dtype
    literals = [literal_of(v) is not None for v in node.operands]
    if all(literals) or (symbol in ("@", "and", "or") and any(literals)):
        return ""
    if node.op.name in _ARITHMETIC and dtype is DType.BOOL:
        return ""
    if symbol == "/" and dtype.is_int:
        return ""
    if symbol == "**":  # the language makes products of some powers
        power = array_of(node.operands[1])
        plain = power is not None and dtype.is_float and not literals[0]
        return symbol if plain and power.ndim == 0 and power not in (1, 2) else ""
    return symbol


def _side(value: Value, node: Node, operand: Operand, side: Side | None, least: int) -> Pieces:
    """An operand of `+`: a number takes the dtype of the tensor beside it."""
    array = array_of(value)
    if array is not None and array.ndim == 0:
        text = number_text(array.reshape(-1)[0], DType.of(array))
        if math.isfinite(float(array)) and not text.startswith("-"):
            return [text]
    return operand_pieces(node, 0, value, operand if side is None else lambda v: side(v, least))


def literal_pieces(value: Value) -> Pieces | None:
    """A constant, dims or a dim as a tensor, wherever it stands; None for what is computed."""
    op = value.node.op if value.node is not None else None
    if isinstance(op, Dims):
        return ["i64(", *dims_pieces(op.dims), ")"]
    size = dim_as_number(value)
    if size is not None:
        return ["i64(", Hole(size, "size"), ")"]
    return [literal(op.value.array)] if isinstance(op, Constant) else None


def operand_pieces(node: Node, index: int, value: Value, operand: Operand) -> Pieces:
    """An operand where it is read: constants and dims are written out."""
    op = value.node.op if value.node is not None else None
    if isinstance(op, Dims):
        return dims_pieces(op.dims)
    size = dim_as_number(value)
    if size is not None:
        return ["i64(", Hole(size, "size"), ")"]
    array = array_of(value)
    if array is None:
        return operand(value)
    if array.dtype == "int64" and array.ndim == 1 and array.size:
        sized = node.op.name in _SIZED
        items = [int(n) for n in array]
        return ["[", *joined(size_pieces(n) if sized else [attribute_text(n)] for n in items), "]"]
    return [literal(array)]


def _attributes(op: Op) -> list[Pieces]:
    return [[f"{name}=", *_attribute(value)] for name, value in op.attributes().items()]


def _attribute(value: Any) -> Pieces:
    """An attribute, with holes for the dims in it."""
    if isinstance(value, Dim):
        return [Hole(value, "size")]
    if isinstance(value, TensorType):
        return [f"({value.dtype}, ", *_attribute(value.shape), ")"]
    if isinstance(value, tuple) and any(isinstance(v, Dim | tuple | TensorType) for v in value):
        return ["[", *joined(map(_attribute, value)), "]"]
    return [attribute_text(value)]
