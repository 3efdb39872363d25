"""A node on its way into the graph, which rules bring to the present form of its operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.errors import CompileError, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.source import Span
from nncomp.types import DType


@dataclass
class Call:
    """An operator with attributes and operands, as a model has it.

    op_type, attributes, inputs: changed in place by rules
    opset: that of the model
    outputs: how many results the node names
    used: which of these anybody reads
    """

    b: Builder
    op_type: str
    opset: int
    attributes: dict[str, Any]
    inputs: list[Value | None]
    outputs: int
    used: tuple[bool, ...]
    span: Span | None = None

    def input(self, index: int) -> Value | None:
        """The operand, None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def needed(self, index: int) -> Value:
        """The operand. CompileError NN0702 if it is left out."""
        value = self.input(index)
        if value is None:
            raise error("NN0702", f"{self.op_type} lacks its operand {index + 1}", self.span)
        return value

    def put(self, index: int, value: Value | None) -> None:
        """Gives an operand; those before it that are not there are left out."""
        self.inputs += [None] * (index + 1 - len(self.inputs))
        self.inputs[index] = value

    def take(self, name: str, default: Any = None) -> Any:
        """Removes an attribute; its value."""
        return self.attributes.pop(name, default)

    def take_ints(self, name: str) -> tuple[int, ...] | None:
        """Removes an attribute that is a list of ints. CompileError NN0805 for another one."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, tuple) or not all(isinstance(v, int) for v in value):
            raise self.wrong(name)
        return value

    def take_number(self, name: str, default: float = 0.0) -> float:
        """Removes an attribute that is a number."""
        value = self.take(name, default)
        if not isinstance(value, int | float):
            raise self.wrong(name)
        return value

    def take_int(self, name: str, default: int = 0) -> int:
        """Removes an attribute that is an int."""
        value = self.take(name, default)
        if not isinstance(value, int):
            raise self.wrong(name)
        return value

    def wrong(self, name: str) -> CompileError:
        """NN0805 for an attribute of another type than it has at this opset."""
        return error("NN0805", f"`{name}` of {self.op_type} has a value of another type", self.span)

    def refuse(self, message: str) -> CompileError:
        """NN0804 for a form of an operator that has no present form."""
        return error("NN0804", f"{self.op_type} at opset {self.opset}: {message}", self.span)

    def ints(self, values: Sequence[int]) -> Value:
        """An i64 vector."""
        return self.b.ints(*values)

    def scalar(self, number: float, dtype: DType) -> Value:
        """A constant of rank 0."""
        if dtype.is_float:
            return self.b.constant(np.asarray(number, dtype.numpy))
        if not float(number).is_integer():
            raise error("NN0805", f"{self.op_type} of {dtype} has the number {number}", self.span)
        return self.b.constant(int(number), dtype)

    def only_first(self) -> bool:
        """Whether nobody reads a result but the first."""
        return not any(self.used[1:])


Rule = Callable[[Call], Sequence[Value] | None]
"""Changes the call, or gives the results itself."""

Rules = dict[str, list[tuple[int, Rule]]]
"""By operator: rules for models of an opset below the number, in ascending order."""
