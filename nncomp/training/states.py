"""State that a rewrite of a step graph adds."""

from __future__ import annotations

from nncomp.ir.graph import Parameter, Value
from nncomp.types import TensorType


def add_state(parameters: list[Parameter], path: str, type: TensorType) -> Value:
    """A state of the path and type, put behind the parameters: its present value."""
    value = Value(type, path)
    parameters.append(Parameter(path, value, "state"))
    return value
