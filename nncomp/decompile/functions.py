"""Operators that are a function of the library, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nncomp.decompile.compositions import Silu, Square
from nncomp.decompile.pieces import Hole, Pieces, Stage, joined
from nncomp.decompile.plain import dim_as_number
from nncomp.dims import Dim
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Node, Value
from nncomp.ir.literals import attribute_text, number_text
from nncomp.ir.op import Op
from nncomp.types import DType

# One operand, no attribute that says anything.
FUNCTIONS = {
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
_FLOATING |= {"ReduceL2", "ReduceLogSumExp"}
_REDUCTIONS = {
    "ReduceMean": "mean",
    "ReduceSum": "sum",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceL2": "norm",
    "ReduceLogSumExp": "logsumexp",
}


def function_of(node: Node) -> Stage | None:
    """The function of the library that is this node."""
    op, first = node.op, node.inputs[0] if node.inputs else None
    if isinstance(op, Silu | Square):
        return Stage(["silu" if isinstance(op, Silu) else "square"])
    if op.domain or first is None:
        return None
    attributes = op.attributes()
    dtype = first.type.dtype
    if op.name in FUNCTIONS and not attributes and len(node.inputs) == 1:
        return Stage([FUNCTIONS[op.name]]) if dtype.is_float or op.name not in _FLOATING else None
    rule = _RULES.get(op.name)
    arguments = rule(node, attributes) if rule else None
    return None if arguments is None else Stage(*arguments)


Parts = tuple[Pieces, Pieces]


def _along(name: str) -> Callable[[Node, dict[str, Any]], Parts | None]:
    """A function along an axis, the last one if none is named."""

    def rule(node: Node, attributes: dict[str, Any]) -> Parts | None:
        axis = attributes.get("axis")
        return [name], [] if axis is None else [f"axis={axis}"]

    return rule


def _gelu(node: Node, attributes: dict[str, Any]) -> Parts | None:
    return ["gelu"], [f"approximate={attribute_text(attributes['approximate'])}"]


def _leaky(node: Node, attributes: dict[str, Any]) -> Parts | None:
    return ["leaky_relu"], [attribute_text(v) for v in attributes.values()]


def _reshape(node: Node, attributes: dict[str, Any]) -> Parts | None:
    shape = node.inputs[1]
    assert shape is not None
    op = literal_of(shape)
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
        (given is not None and not axes)
        or first.type.dtype is DType.BOOL
        or (node.op.name in _FLOATING and not first.type.dtype.is_float)
        or attributes.keys() - {"keepdims"}
    ):
        return None
    arguments: list[Pieces] = [[f"axis={attribute_text(axes)}"]] if axes else []
    # ONNX keeps the axes, the library does not, unless it is said
    if attributes.get("keepdims", 1):
        arguments.append(["keepdims=true"])
    return [_REDUCTIONS[node.op.name]], joined(arguments)


def _clip(node: Node, attributes: dict[str, Any]) -> Parts | None:
    first, low, high = (*node.inputs, None, None)[:3]
    assert first is not None
    numbers = []
    for value in (low, high):
        array = None if value is None else array_of(value)
        if array is None:
            numbers.append("none" if value is None else "")
            continue
        numbers.append(number_text(array.reshape(-1)[0], DType.of(array)) if not array.ndim else "")
    if "" in numbers or numbers == ["none", "none"]:
        return None
    if numbers == ["0.0", "6.0"]:
        return ["relu6"], []
    return ["clip"], [numbers[0] if numbers[1] == "none" else ", ".join(numbers)]


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
    "Softmax": _along("softmax"),
    "LogSoftmax": _along("log_softmax"),
    "Gelu": _gelu,
    "LeakyRelu": _leaky,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _axes("squeeze"),
    "Unsqueeze": _axes("unsqueeze"),
    "Cast": _cast,
    "Clip": _clip,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    **dict.fromkeys(_REDUCTIONS, _reduce),
}


def dims_pieces(dims: Sequence[Any]) -> Pieces:
    """A list of sizes."""
    return ["[", *joined(size_pieces(dim) for dim in dims), "]"]


def size_pieces(dim: Any) -> Pieces:
    """A size, of which 0, 1 and -1 are the same for all instances of a block."""
    if isinstance(dim, Dim) or dim > 1:
        return [Hole(dim, "size")]
    return [attribute_text(dim)]


def array_of(value: Value) -> Any:
    """The contents of a constant, None for what is none."""
    op = value.node.op if value.node is not None else None
    return op.value.array if isinstance(op, Constant) else None


def literal_of(value: Value) -> Op | None:
    """The operator of a value that is written where it is read."""
    op = value.node.op if value.node is not None else None
    if dim_as_number(value) is not None:
        return op
    return op if isinstance(op, Constant | Dims) else None
