"""An operator that nncomp does not know: kept as it stands, so that it can be written again."""

from __future__ import annotations

from typing import Any

from nncomp.ir.op import Op, operator
from nncomp.types import TensorType


@operator
class Opaque(Op):
    """An operator of a foreign domain. Only its result types are known, as its model states them.

    operator: its name there; home: its domain; version: of that domain's operator set
    types: of the results
    settings: its attributes by name: numbers, texts, tuples of them, `Data`
    """

    signature = "inputs?* -> outputs*"
    domain = "nncomp"
    pure = False  # nobody knows whether it draws random numbers
    operator: str
    home: str
    version: int
    types: tuple[TensorType, ...]
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        return self.operator

    @property
    def title(self) -> str:
        """Domain and name, `com.microsoft.BiasGelu`."""
        return f"{self.home or 'ai.onnx'}.{self.operator}"

    def infer(self, *operands: TensorType | None) -> tuple[TensorType, ...]:
        return self.types
