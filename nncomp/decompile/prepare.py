"""A graph made ready to be written: parameters under names that the language takes, large
constants as buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nncomp.decompile.names import parameter_paths
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Parameter, Value
from nncomp.ir.rebuild import remap
from nncomp.ir.text import can_write
from nncomp.types import Array, TensorType


@dataclass(frozen=True, eq=False)
class Prepared:
    """graph: all of whose constants are small; weights: of its parameters, by path
    renamed: the paths of parameters whose names are none
    """

    graph: Graph
    weights: Mapping[str, Array]
    renamed: Mapping[str, str]


def prepare(graph: Graph, weights: Mapping[str, Array]) -> Prepared:
    """The graph, ready to be written."""
    constants = [node for node in graph.nodes if _is_large(node)]
    hints = {node.outputs[0]: node.outputs[0].name or "constant" for node in constants}
    own = parameter_paths(p.path for p in graph.parameters)
    given = {path: weights[name] for name, path in own.items()}
    parameters = [replace(p, path=own[p.path]) for p in graph.parameters]
    values: dict[Value, Value] = {}
    for node in constants:
        (path,) = parameter_paths([hints[node.outputs[0]]], given).values()
        array = node.op.value.array  # type: ignore[attr-defined]
        type_ = node.outputs[0].type
        values[node.outputs[0]] = value = Value(TensorType(type_.dtype, type_.shape), path)
        parameters.append(Parameter(path, value, "buffer"))
        given[path] = array
    nodes = [remap(node, values) for node in graph.nodes if not _is_large(node)]
    ready = replace(graph.replace(nodes, values), parameters=tuple(parameters))
    return Prepared(ready, given, {name: path for name, path in own.items() if name != path})


def _is_large(node: Node) -> bool:
    return isinstance(node.op, Constant) and not can_write(node.op.value.array)
