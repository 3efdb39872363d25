"""What the checks run graphs with, and on what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nncomp.dims import Symbol
from nncomp.equivalence.compare import Answers
from nncomp.ir.graph import Graph, Node, Value
from nncomp.passes.base import Evaluate
from nncomp.types import Array

Watch = Callable[[Node, Sequence[Value | None], Sequence[Array]], None]
"""Is told of each node that has run, in bodies too: what it read, and its results."""


@dataclass(frozen=True, eq=False)
class Feed:
    """What a graph is run on.

    inputs: by name; parameters: by path, of those that are still parameters
    sizes: of the symbolic dims; style: how the numbers were drawn, in words
    """

    inputs: Mapping[str, Array]
    parameters: Mapping[str, Array] = field(default_factory=dict)
    sizes: Mapping[Symbol, int] = field(default_factory=dict)
    style: str = ""

    def wide(self) -> Feed:
        """The same in float64."""
        return replace(self, inputs=_wide(self.inputs), parameters=_wide(self.parameters))


def _wide(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: _widened(array) for name, array in arrays.items()}


def _widened(value: Any) -> Any:
    if isinstance(value, list):
        return [_widened(array) for array in value]
    return value.astype(np.float64) if value.dtype == np.float32 else value


def next_of(path: str) -> str:
    """What the next value of a parameter is called among answers."""
    return f"next {path}"


Run = Callable[[Feed], Answers]


@dataclass(frozen=True)
class Backends:
    """Who answers.

    numpy: runs a graph; a watch sees all nodes
    onnxruntime: opens a graph with the runtime's own optimiser off, None where it is not asked
    evaluate: what passes compute constants with

    All raise CompileError for what they cannot run.
    """

    numpy: Callable[[Graph, Feed, Watch | None], Answers]
    onnxruntime: Callable[[Graph], Run] | None
    evaluate: Evaluate
