"""Where a node is read: the names around it, and the builder that its results go to."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.naming import module_path
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


@dataclass(frozen=True)
class Block:
    """Where in the program that was exported a node stands.

    path: of the innermost module that it belongs to, `layer1.0.conv1`, "" if nothing tells
    modules: all modules around it, outermost first, with their classes ("" if nothing tells)
    """

    path: str
    modules: Mapping[str, str]


def block_of(node: onnx.NodeProto) -> Block:
    """The block that a node's metadata tell, as PyTorch's newer exporter writes them; else its
    name: `/layer1/layer1.0/conv1/Conv` is in `layer1.0.conv1`."""
    notes = {p.key: p.value for p in node.metadata_props if p.key in (_SCOPES, _CLASSES)}
    paths, classes = (_texts(notes.get(key, "")) for key in (_SCOPES, _CLASSES))
    if paths and len(paths) == len(classes):  # the last is the operator itself
        found = zip(paths[:-1], classes[:-1], strict=True)
        modules = {
            path: kind.rpartition(".")[2]
            for path, kind in found
            if path and not path.startswith(_NONE)
        }
        return Block(next(reversed(modules), ""), modules)
    parts: list[str] = []
    modules = {}
    for part in [part for part in node.name.split("/") if part][:-1]:
        if parts and part.startswith(f"{parts[-1]}."):  # /layer1/layer1.0
            parts.pop()
        parts.append(part)
        modules[".".join(parts)] = ""
    return Block(".".join(parts), modules)


def home_of(node: onnx.NodeProto, path: str, readers: Mapping[str, int]) -> str:
    """The block that a node stands in: `path`, what the exporter says, unless all parameters that
    it alone reads are another one's. A convolution that has taken in the batch norm behind it is
    said to be that, but its weight is still `conv.weight`.

    readers: how many nodes read each initialiser
    """
    homes = {module_path(name) for name in node.input if readers.get(name) == 1} - {None}
    own = homes.pop() if len(homes) == 1 else None
    if own is None or not path or f"{path}.".startswith(f"{own}."):
        return path
    return own


_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_NONE = "_empty_nn_module_stack"  # what the exporter writes where it knows none
_LONGEST = 10_000  # characters of a list of scopes


def _texts(text: str) -> list[str]:
    """The texts of a list that Python wrote; none if it is not one."""
    if len(text) > _LONGEST:
        return []
    try:
        found = ast.literal_eval(text or "[]")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    fine = isinstance(found, list) and all(isinstance(item, str) for item in found)
    return found if fine else []


def stated_types(graph: onnx.GraphProto) -> dict[str, onnx.ValueInfoProto]:
    """The types that a graph states of its values and outputs, by name."""
    return {info.name: info for info in (*graph.value_info, *graph.output)}
