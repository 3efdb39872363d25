"""One row of the operator tests: an operator with operands on which everything is checked.

Sizes of a sample should be pairwise distinct, so that no two axes can be confused; one size is
one symbol when the shapes are made symbolic. Values should stay away from kinks and ties, where
there is no derivative to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.dims import Dim, DimLike, Symbol
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.types import Array, DType, TensorType


@dataclass(frozen=True, eq=False)
class Sample:
    """An operator and its operands (None for one left out).

    id:     tells samples of one operator apart
    grad:   whether gradients are checked, of all floating operands or of those given by place
    second: whether second derivatives are checked too
    ort:    whether onnxruntime is asked; False with a comment that says what it lacks
    known:  places of the operands that are known while compiling; by default the integer ones of
            rank 0 or 1 (axes, shapes, pads)
    sizes:  places of the known operands that hold sizes, made symbolic with the shapes
    static: places of the operands that keep their shapes (weights of a convolution)
    fixed:  sizes that are no symbols in any shape (channels)
    tolerance: of float32 results, relative to the largest value
    """

    op: Op
    inputs: tuple[Array | None, ...]
    id: str
    grad: bool | tuple[int, ...]
    second: bool
    ort: bool
    known: tuple[int, ...]
    sizes: tuple[int, ...]
    static: tuple[int, ...]
    fixed: tuple[int, ...]
    tolerance: float

    def __init__(
        self,
        op: Op,
        *inputs: Any,
        id: str = "",
        grad: bool | tuple[int, ...] = True,
        second: bool = True,
        ort: bool = True,
        known: tuple[int, ...] | None = None,
        sizes: tuple[int, ...] = (),
        static: tuple[int, ...] = (),
        fixed: tuple[int, ...] = (),
        tolerance: float = 1e-5,
    ) -> None:
        arrays = tuple(None if a is None else _array(a) for a in inputs)
        if known is None:
            known = tuple(
                place
                for place, a in enumerate(arrays)
                if a is not None and a.dtype.kind == "i" and a.ndim <= 1
            )
        values = (op, arrays, id, grad, second, ort, known, sizes, static, fixed, tolerance)
        for name, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return f"{self.op.name}-{self.id}" if self.id else self.op.name

    @property
    def wrt(self) -> tuple[int, ...]:
        """Places of the operands whose gradients are checked."""
        if isinstance(self.grad, tuple):
            return self.grad
        floating = [a is not None and DType.of(a).is_float for a in self.inputs]
        return tuple(i for i, is_float in enumerate(floating) if is_float and self.grad)

    def in_double(self) -> Sample:
        """The sample with its floating operands in float64."""
        arrays = [
            a.astype(np.float64) if a is not None and DType.of(a).is_float else a
            for a in self.inputs
        ]
        keep = {name: getattr(self, name) for name in list(self.__dataclass_fields__)[2:]}
        return Sample(self.op, *arrays, **keep)


def _array(value: Any) -> Array:
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind == "U" else array


@dataclass(frozen=True, eq=False)
class Case:
    """A sample as a graph: one input for each operand that is not known while compiling."""

    builder: Builder
    values: tuple[Value | None, ...]
    node: Node
    inputs: list[Value]
    arrays: dict[str, Array]
    bindings: dict[Symbol, DimLike]

    def graph(self, outputs: dict[str, Value] | None = None) -> Graph:
        named = {f"y{i}": value for i, value in enumerate(self.node.outputs)}
        nodes = tuple(self.builder.nodes)
        return Graph("sample", tuple(self.inputs), (), nodes, named if outputs is None else outputs)

    def add_input(self, type: TensorType, array: Array) -> Value:
        """A further input."""
        value = Value(type, f"extra{len(self.inputs)}")
        self.inputs.append(value)
        self.arrays[value.name] = array
        return value

    def learn(self, type: TensorType, array: Array) -> None:
        """Binds the dims that the operator made up."""
        for dim, size in zip(type.shape, array.shape, strict=True):
            if isinstance(dim, Dim) and dim.symbol is not None:
                self.bindings.setdefault(dim.symbol, size)

    def bound(self, type: TensorType) -> TensorType:
        """The type with the sample's sizes for symbols."""
        return type.substitute(self.bindings)


def case(sample: Sample, *, symbolic: bool) -> Case:
    """The sample as a graph, with fixed sizes or with a symbol for each size above 1."""
    b = Builder()
    symbols: dict[int, Symbol] = {}

    def dim(size: int) -> DimLike:
        if not symbolic or size <= 1 or size in sample.fixed:
            return size
        if size not in symbols:
            symbols[size] = Symbol(f"d{size}")
        return symbols[size].dim

    for place, array in enumerate(sample.inputs):  # first the shapes: sizes refer to them
        if array is not None and place not in sample.known and place not in sample.static:
            for size in array.shape:
                dim(size)
    values: list[Value | None] = []
    inputs: list[Value] = []
    arrays: dict[str, Array] = {}
    for place, array in enumerate(sample.inputs):
        if array is None:
            values.append(None)
        elif place in sample.sizes and symbolic:
            sizes = [int(size) for size in array.reshape(-1)]
            values.append(b.dims([dim(s) if s in symbols else s for s in sizes]))
        elif place in sample.known:
            values.append(b.constant(array))
        else:
            fixed = place in sample.static
            shape = tuple(size if fixed else dim(size) for size in array.shape)
            value = Value(TensorType(DType.of(array), shape), f"x{place}")
            values.append(value)
            inputs.append(value)
            arrays[value.name] = array
    node = b.add(sample.op, values)
    bindings: dict[Symbol, DimLike] = {symbol: size for size, symbol in symbols.items()}
    return Case(b, tuple(values), node, inputs, arrays, bindings)


@dataclass(frozen=True, eq=False)
class Failure:
    """Operand types that an operator refuses: the code, and words that the message must have."""

    op: Op
    types: tuple[TensorType | None, ...]
    code: str
    words: tuple[str, ...]

    def __init__(self, op: Op, *types: TensorType | None, code: str, words: str = "") -> None:
        object.__setattr__(self, "op", op)
        object.__setattr__(self, "types", types)
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "words", tuple(words.split("|")) if words else ())

    def __str__(self) -> str:
        return f"{self.op.name}-{self.code}"


def ints(*values: int) -> Array:
    """An i64 vector: axes, shapes, pads."""
    return np.array(values, np.int64)


def scalar(value: int, dtype: type = np.int64) -> Array:
    return np.array(value, dtype)


def normal(*shape: int, seed: int = 0) -> Array:
    """Standard normal float32 numbers, always the same for one shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def uniform(low: float, high: float, *shape: int, seed: int = 0) -> Array:
    """Uniform float32 numbers."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape).astype(np.float32)


def spread(*shape: int, seed: int = 0, step: float = 0.25) -> Array:
    """Distinct float32 numbers at least `step` apart, none nearer to 0 than step / 2."""
    count = int(np.prod(shape))
    order = np.random.default_rng([seed, *shape]).permutation(count)
    return ((order - count // 2 + 0.5) * step).reshape(shape).astype(np.float32)


def picks(high: int, *shape: int, seed: int = 0) -> Array:
    """i64 indices below `high`."""
    return np.random.default_rng([seed, *shape]).integers(0, high, shape)


__all__ = [
    *("Case", "Failure", "Sample", "case", "ints", "normal", "picks", "scalar", "spread"),
    "uniform",
]
