"""What an operator is: one dataclass with its attributes, operands, shape and gradient.

A subclass is declared once, in `nncomp/ops`::

    @operator
    class Relu(Op):
        \"\"\"max(x, 0), elementwise (ONNX Relu-14).\"\"\"

        signature = "X -> Y"

        def infer(self, x: TensorType) -> TensorType:
            return same_as(x)

        def vjp(self, at: Vjp) -> Gradients:
            return (at.b(ReluGrad(), at.dy[0], at.outputs[0]),)

Its fields are the ONNX attributes, with ONNX's names and defaults; instances are values (equal,
hashable). Kernels and target spellings stay in the backends.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

import numpy as np

from nncomp.records import record
from nncomp.types import Array, DType, TensorType

if TYPE_CHECKING:
    from nncomp.ir.builder import Builder
    from nncomp.ir.graph import Body, Value

Gradients = Sequence["Value | None"]


class InferError(Exception):
    """Operands that an operator does not take. The builder adds spans and raises CompileError.

    code, message, label, help: as in `Diagnostic`
    operand, axis: which operand (and which of its axes) disagrees, so that the report can say
        where that size came from; against: the operand that it disagrees with
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        label: str = "",
        operand: int | None = None,
        axis: int | None = None,
        against: int | None = None,
        help: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.label = label
        self.operand = operand
        self.axis = axis
        self.against = against
        self.help = help


@dataclass(frozen=True, slots=True)
class Operand:
    """One formal operand or result: `X`, `B?` (optional), `inputs*` (any number ≥ 0) or `inputs?*`
    (any number, of which some may be left out)."""

    name: str
    optional: bool
    variadic: bool


@dataclass(frozen=True, slots=True)
class Formal:
    """What a signature declares. needed: places of operands that must be given; most: how many
    may be, None for any number."""

    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    needed: tuple[int, ...]
    most: int | None


@cache
def parse_signature(signature: str) -> Formal:
    def side(text: str) -> tuple[Operand, ...]:
        words = [word.strip() for word in text.split(",") if word.strip()]
        return tuple(Operand(w.rstrip("?*"), "?" in w, w.endswith("*")) for w in words)

    left, right = signature.split("->")
    operands = side(left)
    needed = tuple(i for i, o in enumerate(operands) if not o.optional and not o.variadic)
    any_number = bool(operands) and operands[-1].variadic
    return Formal(operands, side(right), needed, None if any_number else len(operands))


Class = TypeVar("Class", bound="Op")


@dataclass_transform(frozen_default=True)
def operator(cls: type[Class]) -> type[Class]:
    """Makes a subclass of `Op` a record, whose equality, hash and text are those of `Op`."""
    made = record(cls)
    made._attributes = tuple(f.name for f in dataclasses.fields(made))
    return made


@operator
class Op:
    """Base of all operators.

    signature: operands and results in ONNX order, `"X, W, B? -> Y"`; infer always gives all
        results, and the emitter leaves out those that nobody uses
    domain: "" for ONNX's own, "nncomp" for ours
    """

    signature: ClassVar[str]
    domain: ClassVar[str] = ""
    with_respect_to: ClassVar[slice | None] = None  # of a derivative, those operands
    open_sizes: ClassVar[bool] = False  # results have dims of their own, which a run tells
    pure: ClassVar[bool] = True  # same operands, same results: CSE and folding may touch it
    takes: ClassVar[frozenset[DType]] = frozenset()  # special dtypes that operands may have
    containers: ClassVar[bool] = False  # whether operands may be sequences or optional values
    _attributes: ClassVar[tuple[str, ...]] = ()  # their names, in declared order

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._attributes])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Op)
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values()))

    def __repr__(self) -> str:
        values = zip(self._attributes, self._values(), strict=True)
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in values)})"

    @property
    def name(self) -> str:
        return type(self).__name__

    @classmethod
    def operands(cls) -> tuple[Operand, ...]:
        return parse_signature(cls.signature).operands

    @classmethod
    def results(cls) -> tuple[Operand, ...]:
        return parse_signature(cls.signature).results

    def attributes(self) -> dict[str, Any]:
        """The attributes that differ from their defaults, by name, in declared order."""
        return {
            f.name: value
            for f in dataclasses.fields(self)
            if (value := getattr(self, f.name)) != f.default
        }

    def infer(self, *args: Any, **kwargs: Any) -> TensorType | tuple[TensorType, ...]:
        """Result types from operand types, given positionally (None for one left out).

        Raises InferError.
        """
        raise NotImplementedError(f"{self.name} declares no infer")

    def vjp(self, at: Vjp) -> Gradients:
        """Gradients with respect to each operand, None where there is none or it is zero.

        A gradient has the operand's broadcast shape: the driver sums over broadcast dims.
        """
        raise NoGradientError

    def decompose(self, b: Builder, *inputs: Any, **kwargs: Any) -> Value | tuple[Value, ...]:
        """The operator's meaning in standard operators, one value for each result.

        For operators of our own domain, and for those that ONNX defines as functions. It is what
        a target without a better body runs, and what is differentiated where there is no `vjp`.
        """
        raise NotImplementedError(f"{self.name} declares no decomposition")

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The graphs that an operator of control flow runs."""
        return ()

    def with_bodies(self, bodies: Sequence[Body]) -> Op:
        """The operator with other bodies."""
        raise NotImplementedError(f"{self.name} has no bodies")

    @classmethod
    def has_vjp(cls) -> bool:
        return cls.vjp is not Op.vjp

    @classmethod
    def has_decomposition(cls) -> bool:
        return cls.decompose is not Op.decompose


class NoGradientError(Exception):
    """The operator has no gradient rule; the driver turns this into a diagnostic."""


@record
class Vjp:
    """What a gradient rule sees.

    b: builds nodes; inputs, outputs: of the node; dy: the gradient of each output, None for zero
    """

    b: Builder
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    dy: tuple[Value | None, ...]

    @property
    def x(self) -> Value:
        """The first operand."""
        assert self.inputs[0] is not None
        return self.inputs[0]

    @property
    def y(self) -> Value:
        """The first result."""
        return self.outputs[0]

    @property
    def g(self) -> Value:
        """The gradient of the first result; only for rules of operators with one result."""
        assert self.dy[0] is not None
        return self.dy[0]


class Data:
    """An immutable array that is a value: equal and hashable by dtype, shape and bytes."""

    __slots__ = ("_hash", "array")

    def __init__(self, array: Array) -> None:
        array = np.asarray(array)
        if array.dtype.kind == "U":
            array = array.astype(object)
        if array.flags.writeable:
            array = array.copy() if array.base is not None else array.view()
            array.flags.writeable = False
        self.array = array
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Data):
            return NotImplemented
        a, b = self.array, other.array
        if a is b:
            return True
        if a.dtype != b.dtype or a.shape != b.shape or hash(self) != hash(other):
            return False
        return a.tolist() == b.tolist() if a.dtype.hasobject else a.tobytes() == b.tobytes()

    def __hash__(self) -> int:
        if self._hash is None:
            array = self.array
            flat = np.ascontiguousarray(array).reshape(-1)
            if array.dtype.hasobject:  # strings
                content = hash(tuple(flat.tolist()))
            else:
                content = zlib.crc32(flat.view(np.uint8).data)  # no copy of weights
            self._hash = hash((array.dtype, array.shape, content))
        return self._hash

    def __repr__(self) -> str:
        return f"Data({self.array.dtype}{list(self.array.shape)})"
