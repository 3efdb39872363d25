"""What a name can stand for while a program is lowered.

Tensors are `nncomp.ir.Value`. Static values are Python's int, float, bool, str, None, lists and
tuples, `Dim` and `DType`. The rest is here: things that can be called, and trees of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from nncomp.dims import Dim
from nncomp.ir.graph import Value
from nncomp.ir.op import Op
from nncomp.records import record
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType, TensorType

if TYPE_CHECKING:
    from nncomp.lower.context import Context, Module


@record
class Function:
    """A `fn` with the module that it was written in."""

    decl: ast.FnDecl
    module: Module


@record
class Factory:
    """A `block` or `optimizer`; calling it with hyperparameters makes an instance.

    given: what `partial` has bound already
    """

    decl: ast.BlockDecl
    module: Module
    given: Mapping[str, Any] = field(default_factory=dict)


@record
class Instance:
    """A block with its hyperparameters and its place in the tree of parameters.

    replaced: tensors that stand for parameters when it is applied, by path (`with_`)
    copy_of: the path of the instance that this is a copy of
    by_position: how many hyperparameters were given without their names
    """

    factory: Factory
    hyperparameters: Mapping[str, Any]
    path: str
    span: Span
    replaced: Mapping[str, Value] = field(default_factory=dict)
    copy_of: str | None = None
    by_position: int = 0


@record
class Clipped:
    """An optimizer whose gradients are limited before: all together to a norm, each element to a
    value; a number, a tensor, or None for no limit."""

    optimizer: Instance
    norm: Any
    value: Any


@record
class Builtin:
    """A function of the compiler. `call` gets the context, positional and named arguments."""

    name: str
    call: Callable[[Context, list[Any], dict[str, Any]], Any]


@record
class Namespace:
    """`onnx`, `nncomp` or an imported module; `lookup` gives None for a name it lacks."""

    name: str
    lookup: Callable[[str], Any]
    names: Callable[[], list[str]]


@record
class Deferred:
    """A tensor whose type is given by where it is used: `zeros()` as an initial value."""

    name: str
    make: Callable[[Context, TensorType], Value]


class Results(tuple[Value, ...]):
    """All results of a raw operator. Stands for its first one unless it is unpacked."""


@record
class RawOp:
    """`onnx.Conv` or `nncomp.FusedConv`: an operator, called with operands and attributes."""

    cls: type[Op]


@record
class Tree:
    """Parameters below a path, by their names relative to it."""

    path: str
    leaves: Mapping[str, Value]


@record
class Argument:
    """The value of one argument and where it was written."""

    value: Any
    span: Span


@record
class Arguments:
    """Those of one call."""

    positional: list[Argument]
    named: dict[str, Argument]

    @property
    def values(self) -> list[Any]:
        return [a.value for a in self.positional]

    @property
    def keywords(self) -> dict[str, Any]:
        return {name: a.value for name, a in self.named.items()}


MAX_ITEMS = 100_000


def items_in(*values: Any) -> int:
    """How many items lists have, with those inside them, and texts; more than MAX_ITEMS are not
    counted to the end."""
    pending, count = list(values), 0
    while pending:
        value = pending.pop()
        if isinstance(value, (list, tuple, str)):
            count += len(value)
            if count > MAX_ITEMS:
                break
            if not isinstance(value, str):
                pending += [v for v in value if isinstance(v, (list, tuple))]
    return count


def is_static_number(value: Any) -> bool:
    return isinstance(value, (int, float, Dim)) and not isinstance(value, bool)


def describe(value: Any) -> str:
    """The value in an error message."""
    match value:
        case Value():
            return str(value.type)
        case None:
            return "none"
        case bool():
            return f"the bool {str(value).lower()}"
        case int():
            return f"the int {value}"
        case float():
            return f"the float {value}"
        case str():
            return f'the string "{value if len(value) <= 60 else value[:60] + "…"}"'
        case Dim():
            return f"the dim {value}"
        case DType():
            return f"the dtype {value}"
        case Results():
            return f"{len(value)} results"
        case list() | tuple():
            return f"a {type(value).__name__} of {len(value)}"
        case Function():
            return f"the fn `{value.decl.name.text}`"
        case Factory():
            return f"the {value.decl.kind} `{value.decl.name.text}`"
        case Instance():
            return f"an instance of `{value.factory.decl.name.text}`"
        case Clipped():
            return f"an instance of `{value.optimizer.factory.decl.name.text}`, clipped"
        case RawOp():
            return f"the operator {value.cls.__name__}"
        case Builtin() | Namespace() | Deferred():
            return f"`{value.name}`"
        case ast.ModelDecl():
            return f"the model `{value.name.text}`"
        case Tree():
            return f"a tree of {len(value.leaves)} parameters"
    return type(value).__name__
