"""Operators as a person would write them, where that is exactly the same operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from nncomp.decompile.pieces import Chain, Hole, Pieces, Stage, joined
from nncomp.decompile.plain import dim_as_number
from nncomp.dims import Dim
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Node, Value
from nncomp.ir.literals import attribute_text, literal, number_text
from nncomp.ir.op import Op
from nncomp.types import DType, TensorType

Operand = Callable[[Value], Pieces]

# One operand, no attribute that says anything.
_FUNCTIONS = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Mish": "mish",
    "HardSwish": "hard_swish",
    "Selu": "selu",
    "Gelu": "gelu",
    "Elu": "elu",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Sin": "sin",
    "Cos": "cos",
    "Tanh": "tanh",
    "Erf": "erf",
    "Floor": "floor",
    "Ceil": "ceil",
    "Abs": "abs",
    "Sign": "sign",
    "GlobalAveragePool": "global_avg_pool",
    "GlobalMaxPool": "global_max_pool",
}
_FLOATING = {"Relu", "Sigmoid", "Softplus", "Softsign", "Elu", "Selu", "Gelu", "Mish", "HardSwish"}
_OPERATORS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "MatMul": "@"}
_REDUCTIONS = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min"}
_SIZED = {"Reshape", "Expand", "Split", "Slice", "ConstantOfShape", "Tile"}


def subject_of(node: Node) -> Value | None:
    """The operand that would come through a pipe."""
    if node.op.name in _OPERATORS and operator_of(node):
        return None
    first = node.inputs[0] if node.inputs else None
    if node.op.name == "Concat" or first is None or _literal_of(first) is not None:
        return None
    return first


def spell(node: Node, operand: Operand, subject: Chain | None) -> Chain:
    """The node as an expression.

    operand: how a value is written where it is read
    subject: what comes through the pipe, if `subject_of` names a value
    """
    symbol = operator_of(node)
    if symbol:
        sides = [_side(v, node, operand) for v in node.operands]
        return Chain([*sides[0], f" {symbol} ", *sides[1]], loose=True)
    if node.op.name == "Concat" and not node.op.domain:
        parts = [operand_pieces(node, i, v, operand) for i, v in enumerate(node.operands)]
        axis = node.op.attributes().get("axis")
        return Chain(["concat([", *joined(parts), f"], axis={axis})"])
    friendly = _friendly(node, operand)
    if friendly is not None and subject is not None:
        return Chain(subject.head, [*subject.stages, friendly], subject.loose)
    domain = node.op.domain or "onnx"
    callee: Pieces = [f"{domain}.{type(node.op).__name__}"]
    if isinstance(node.op, Dims):
        return Chain([*callee, "(", *dims_pieces(node.op.dims), ")"])
    rest = [
        ["none"] if v is None else operand_pieces(node, i, v, operand)
        for i, v in enumerate(node.inputs)
        if i or subject is None
    ]
    arguments = joined([*rest, *_attributes(node.op)])
    if subject is not None:
        return Chain(subject.head, [*subject.stages, Stage(callee, arguments)], subject.loose)
    return Chain([*callee, "(", *arguments, ")"])


def operator_of(node: Node) -> str:
    """The operator of the language that is this node, "" if none is."""
    symbol = _OPERATORS.get(node.op.name, "")
    if not symbol or node.op.domain or len(node.operands) != 2:
        return ""
    dtype = node.operands[0].type.dtype
    if dtype is DType.BOOL or (symbol == "/" and dtype.is_int):
        return ""
    literals = [_literal_of(v) is not None for v in node.operands]
    return "" if all(literals) or (symbol == "@" and any(literals)) else symbol


def _side(value: Value, node: Node, operand: Operand) -> Pieces:
    """An operand of `+`: a number takes the dtype of the tensor beside it."""
    array = _array_of(value)
    if array is not None and array.ndim == 0:
        text = number_text(array.reshape(-1)[0], DType.of(array))
        if math.isfinite(float(array)) and not text.startswith("-"):
            return [text]
    return operand_pieces(node, 0, value, operand)


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
    array = _array_of(value)
    if array is None:
        return operand(value)
    if array.dtype == "int64" and array.ndim == 1 and array.size:
        sized = node.op.name in _SIZED
        items = [int(n) for n in array]
        return ["[", *joined(_size(n) if sized else [attribute_text(n)] for n in items), "]"]
    return [literal(array)]


def dims_pieces(dims: Sequence[Any]) -> Pieces:
    """A list of sizes."""
    return ["[", *joined(_size(dim) for dim in dims), "]"]


def _size(dim: Any) -> Pieces:
    if isinstance(dim, Dim) or dim > 1:
        return [Hole(dim, "size")]
    return [attribute_text(dim)]


def _array_of(value: Value) -> Any:
    op = value.node.op if value.node is not None else None
    return op.value.array if isinstance(op, Constant) else None


def _literal_of(value: Value) -> Op | None:
    op = value.node.op if value.node is not None else None
    if dim_as_number(value) is not None:
        return op
    return op if isinstance(op, Constant | Dims) else None


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


def _friendly(node: Node, operand: Operand) -> Stage | None:
    """The function of the library that is this node."""
    op, first = node.op, node.inputs[0] if node.inputs else None
    if op.domain or first is None:
        return None
    attributes = op.attributes()
    dtype = first.type.dtype
    if op.name in _FUNCTIONS and not attributes and len(node.inputs) == 1:
        return Stage([_FUNCTIONS[op.name]]) if dtype.is_float or op.name not in _FLOATING else None
    rule = _RULES.get(op.name)
    arguments = rule(node, attributes) if rule else None
    return None if arguments is None else Stage(*arguments)


Parts = tuple[Pieces, Pieces]


def _softmax(node: Node, attributes: dict[str, Any]) -> Parts | None:
    axis = attributes.get("axis")
    return ["softmax"], [] if axis is None else [f"axis={axis}"]


def _gelu(node: Node, attributes: dict[str, Any]) -> Parts | None:
    return ["gelu"], [f"approximate={attribute_text(attributes['approximate'])}"]


def _leaky(node: Node, attributes: dict[str, Any]) -> Parts | None:
    return ["leaky_relu"], [attribute_text(v) for v in attributes.values()]


def _reshape(node: Node, attributes: dict[str, Any]) -> Parts | None:
    shape = node.inputs[1]
    assert shape is not None
    op = _literal_of(shape)
    if attributes or op is None or shape.type.elements is None:
        return None
    return ["reshape"], dims_pieces(shape.type.elements)


def _transpose(node: Node, attributes: dict[str, Any]) -> Parts | None:
    perm = attributes.get("perm")
    if perm is None:
        return None
    n = len(perm)
    if n > 1 and perm == (*range(n - 2), n - 1, n - 2):
        return ["transpose"], []
    return ["transpose"], [f"perm={attribute_text(perm)}"]


def _axes(name: str) -> Callable[[Node, dict[str, Any]], Parts | None]:
    def rule(node: Node, attributes: dict[str, Any]) -> Parts | None:
        axes = node.inputs[1].type.elements if len(node.inputs) > 1 and node.inputs[1] else None
        if attributes or axes is None or not axes:
            return None
        return [name], [attribute_text(axes[0] if len(axes) == 1 else axes)]

    return rule


def _reduce(node: Node, attributes: dict[str, Any]) -> Parts | None:
    given = node.inputs[1] if len(node.inputs) > 1 else None
    axes = given.type.elements if given is not None else None
    first = node.inputs[0]
    assert first is not None
    if (
        axes is None
        or not axes
        or first.type.dtype is DType.BOOL
        or attributes.keys() - {"keepdims"}
    ):
        return None
    arguments: Pieces = [f"axis={attribute_text(axes)}"]
    # ONNX keeps the axes, the library does not, unless it is said
    if attributes.get("keepdims", 1):
        arguments += [", keepdims=true"]
    return [_REDUCTIONS[node.op.name]], arguments


def _cast(node: Node, attributes: dict[str, Any]) -> Parts | None:
    first = node.inputs[0]
    assert first is not None
    to = attributes.get("to")
    if attributes.keys() != {"to"} or first.type.dtype is to:
        return None
    return ["cast"], [str(to)]


def _pool(name: str) -> Callable[[Node, dict[str, Any]], Parts | None]:
    def rule(node: Node, attributes: dict[str, Any]) -> Parts | None:
        op: Any = node.op
        first = node.inputs[0]
        assert first is not None
        n = first.rank - 2
        known = {"kernel_shape", "strides", "pads", "dilations", "ceil_mode", "count_include_pad"}
        if attributes.keys() - known or op.pads is None or op.strides is None or op.ceil_mode > 1:
            return None
        if op.pads[:n] != op.pads[n:]:
            return None
        arguments: Pieces = [*per_axis(op.kernel_shape, "size")]
        if op.strides != op.kernel_shape:
            arguments += [", ", *per_axis(op.strides, "stride")]
        if any(op.pads):
            arguments += [", pad=", *per_axis(op.pads[:n], "pad")]
        if any(d != 1 for d in op.dilations or ()):
            arguments += [", dilation=", *per_axis(op.dilations, "dilation")]
        if op.ceil_mode:
            arguments += [", ceil=true"]
        if attributes.get("count_include_pad"):
            arguments += [", count_pad=true"]
        return [name], arguments

    return rule


def per_axis(numbers: Sequence[int], hint: str) -> Pieces:
    """One number for all axes, or a list."""
    if len(set(numbers)) == 1:
        return [Hole(numbers[0], hint)]
    return ["[", *joined([Hole(n, hint)] for n in numbers), "]"]


_RULES: dict[str, Callable[[Node, dict[str, Any]], Parts | None]] = {
    "Softmax": _softmax,
    "Gelu": _gelu,
    "LeakyRelu": _leaky,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _axes("squeeze"),
    "Unsqueeze": _axes("unsqueeze"),
    "Cast": _cast,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    **dict.fromkeys(_REDUCTIONS, _reduce),
}
