"""Where a node is read: the names around it, and the builder that its results go to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.types import DType, TensorType


@dataclass(frozen=True)
class Items:
    """A sequence of which the values in it are known: it exists while importing only, until
    something asks for it whole.

    dtype: of its tensors; with values, theirs
    """

    values: tuple[Value, ...]
    dtype: DType = DType.F32


@dataclass(frozen=True)
class Missing:
    """An optional value that is known not to be there. content: what it might have been"""

    content: TensorType | None = None


Item = Value | Items | Missing


@dataclass(eq=False)
class Scope:
    """One graph, or one call of a function.

    names: what its nodes can read; of a subgraph, also what `parent` has
    waiting: makes an initialiser when its name is first read
    given: the attributes of the call, for a function
    opsets: versions of operator sets, by domain
    path: the blocks around, for the origins of nodes
    inputs: values that its types begin with
    stated: types of values that the model states
    absent: names of a function's operands that its call leaves out
    """

    b: Builder
    opsets: Mapping[str, int]
    parent: Scope | None = None
    names: dict[str, Item] = field(default_factory=dict)
    waiting: dict[str, Callable[[], Item]] = field(default_factory=dict)
    given: Mapping[str, onnx.AttributeProto] = field(default_factory=dict)
    path: str = ""
    inputs: list[Value] = field(default_factory=list)
    absent: frozenset[str] = frozenset()
    stated: Mapping[str, onnx.ValueInfoProto] = field(default_factory=dict)

    def find(self, name: str) -> Item | None:
        """What the name stands for here or around, None if it is unknown."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            if name in scope.waiting:
                scope.names[name] = made = scope.waiting.pop(name)()
                return made
            scope = scope.parent
        return None


def block_of(name: str) -> str:
    """The block that a node's name tells: `/layer1/layer1.0/conv1/Conv` is in
    `layer1.0.conv1`."""
    path = ""
    for part in [part for part in name.split("/") if part][:-1]:
        path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
    return path


def stated_types(graph: onnx.GraphProto) -> dict[str, onnx.ValueInfoProto]:
    """The types that a graph states of its values and outputs, by name."""
    return {info.name: info for info in (*graph.value_info, *graph.output)}
