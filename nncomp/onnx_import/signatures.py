"""Types of a model's inputs and values: ONNX's types as ours, with named and unnamed sizes."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

import onnx

from nncomp.dims import DimLike, Symbol, maximum, minimum, new_dim, substitute
from nncomp.errors import CompileError, error
from nncomp.ir.naming import identifier
from nncomp.onnx_import.dtypes import dtype_of
from nncomp.source import Span
from nncomp.types import TensorType

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

    def tensor(self, info: onnx.ValueInfoProto, what: str, span: Span | None) -> TensorType:
        """The type of an input. CompileError NN0804 if it is no tensor or of unknown rank."""
        kind = info.type.WhichOneof("value")
        if kind != "tensor_type":
            called = _KINDS.get(kind or "", "of no type")
            raise error("NN0804", f"{what} is {called}, and only tensors can be", span)
        tensor = info.type.tensor_type
        dtype = dtype_of(tensor.elem_type, what, span)
        if not tensor.HasField("shape"):
            raise error(
                "NN0804",
                f"{what} has no shape, not even a number of dimensions",
                span,
                help="give the model's inputs shapes; sizes in them may be names",
            )
        shape = tuple(
            self._dim(dim, info.name, axis, what, span) for axis, dim in enumerate(tensor.shape.dim)
        )
        return TensorType(dtype, shape)

    def stated(self, info: onnx.ValueInfoProto | None) -> TensorType | None:
        """The type of a value if the model states it whole."""
        if info is None:
            return None
        try:
            return self.tensor(info, f"`{info.name}`", None)
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
