"""Types of a model's inputs and values: ONNX's types as ours, with named and unnamed sizes."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

import onnx

from nncomp.dims import Dim, DimLike, Symbol, maximum, minimum, new_dim, substitute
from nncomp.errors import CompileError, error
from nncomp.ir.naming import identifier
from nncomp.onnx_import.dtypes import dtype_of
from nncomp.source import Span
from nncomp.types import OptionalType, SequenceType, TensorType

_LONGEST = 200  # characters of a formula
_KINDS = {
    "sequence_type": "a sequence",
    "optional_type": "an optional value",
    "map_type": "a map",
    "sparse_tensor_type": "a sparse tensor",
    "opaque_type": "an opaque value",
}


class Signatures:
    """Reads types; one name stands for one size in all of the model."""

    def __init__(self) -> None:
        self.sizes: dict[str, DimLike] = {}

    def value(self, info: onnx.ValueInfoProto, what: str, span: Span | None) -> TensorType:
        """The type of an input. CompileError NN0804 if graphs have none such."""
        return self.type(info.type, info.name, what, span)

    def type(self, proto: onnx.TypeProto, name: str, what: str, span: Span | None) -> TensorType:
        """A tensor's, sequence's or optional value's type; sizes without a name are called after
        `name`. CompileError NN0804."""
        kind = proto.WhichOneof("value")
        if kind == "sequence_type":
            element = proto.sequence_type.elem_type
            return self._sequence(element, f"an element of {what}", span)
        if kind == "optional_type":
            content = proto.optional_type.elem_type
            return OptionalType.of(self._content(content, name, what, span))
        return self._tensor(proto, name, what, span)

    def _sequence(self, element: onnx.TypeProto, what: str, span: Span | None) -> SequenceType:
        """A name in a sequence's type stands for another size in each of its tensors."""
        tensor = self._tensor_proto(element, what, span)
        dtype = dtype_of(tensor.elem_type, what, span)
        if not tensor.HasField("shape"):
            return SequenceType(dtype)
        sizes = (
            d.dim_value if d.WhichOneof("value") == "dim_value" and d.dim_value >= 0 else None
            for d in tensor.shape.dim
        )
        return SequenceType(dtype, sizes=tuple(sizes))

    def _content(
        self, proto: onnx.TypeProto, name: str, what: str, span: Span | None
    ) -> TensorType:
        """What may be in an optional value. Its sizes are its own: it may not be there."""
        found = self.type(proto, name, f"the content of {what}", span)
        if isinstance(found, OptionalType):
            raise error("NN0804", f"{what} is an optional value in another", span)
        own = {
            s: new_dim(s.name, 0) for d in found.shape if isinstance(d, Dim) for s in d.symbols()
        }
        return found.substitute(own)

    def _tensor_proto(
        self, proto: onnx.TypeProto, what: str, span: Span | None
    ) -> onnx.TypeProto.Tensor:
        kind = proto.WhichOneof("value")
        if kind != "tensor_type":
            called = _KINDS.get(kind or "", "of no type")
            raise error("NN0804", f"{what} is {called}, and only tensors can be", span)
        return proto.tensor_type

    def _tensor(self, proto: onnx.TypeProto, name: str, what: str, span: Span | None) -> TensorType:
        tensor = self._tensor_proto(proto, what, span)
        dtype = dtype_of(tensor.elem_type, what, span)
        if not tensor.HasField("shape"):
            raise error(
                "NN0804",
                f"{what} has no shape, not even a number of dimensions",
                span,
                help="give the model's inputs shapes; sizes in them may be names",
            )
        shape = tuple(
            self._dim(dim, name, axis, what, span) for axis, dim in enumerate(tensor.shape.dim)
        )
        return TensorType(dtype, shape)

    def stated(self, info: onnx.ValueInfoProto | None) -> TensorType | None:
        """The type of a value if the model states it whole."""
        if info is None:
            return None
        try:
            return self.value(info, f"`{info.name}`", None)
        except CompileError:
            return None

    def _dim(
        self,
        dim: onnx.TensorShapeProto.Dimension,
        name: str,
        axis: int,
        what: str,
        span: Span | None,
    ) -> DimLike:
        if dim.WhichOneof("value") == "dim_value":
            if dim.dim_value >= 0:
                return dim.dim_value
        elif dim.dim_param:
            return self._named(dim.dim_param)
        return new_dim(f"{identifier(name)}_{axis}")

    def _named(self, text: str) -> DimLike:
        """`N`, or a formula of names such as `8*h`."""
        if text in self.sizes:
            return self.sizes[text]
        formula = None if text.isidentifier() or len(text) > _LONGEST else _parsed(text)
        size: DimLike | None = None
        if formula is not None:
            try:
                size = self._computed(formula)
            except (ZeroDivisionError, CompileError, RecursionError, KeyError):
                size = None
        if size is None or (isinstance(size, int) and size < 0):
            size = new_dim(identifier(text[:_LONGEST]))
        self.sizes[text] = size
        return size

    def _computed(self, formula: ast.expr) -> DimLike:
        """KeyError for what is no arithmetic of sizes."""
        if isinstance(formula, ast.Name):
            return self._named(formula.id)
        if isinstance(formula, ast.Constant) and type(formula.value) is int:
            return formula.value
        if isinstance(formula, ast.BinOp):
            left, right = self._computed(formula.left), self._computed(formula.right)
            return _OPERATIONS[type(formula.op)](left, right)
        if isinstance(formula, ast.Call) and isinstance(formula.func, ast.Name):
            arguments = [self._computed(argument) for argument in formula.args]
            return _FUNCTIONS[formula.func.id, len(arguments)](*arguments)
        raise KeyError(formula)

    def substitute(self, values: dict[Symbol, DimLike]) -> None:
        """Symbols are found to have a value."""
        self.sizes = {name: substitute(size, values) for name, size in self.sizes.items()}


_OPERATIONS: dict[type[ast.operator], Callable[[DimLike, DimLike], DimLike]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[tuple[str, int], Callable[..., DimLike]] = {
    ("min", 2): minimum,
    ("max", 2): maximum,
}


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
