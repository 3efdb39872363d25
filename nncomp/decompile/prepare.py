"""A graph made ready to be written: parameters under names that the language takes, large
constants as buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nncomp.decompile.names import parameter_paths
from nncomp.decompile.plain import plain
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Parameter, Value
from nncomp.ir.literals import can_write
from nncomp.ir.rebuild import remap
from nncomp.types import Array, TensorType


@dataclass(frozen=True, eq=False)
class Prepared:
    """graph: all of whose constants are small; weights: of its parameters, by path
    names: the paths of the parameters that it had before, by their names
    """

    graph: Graph
    weights: Mapping[str, Array]
    names: Mapping[str, str]


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
    ready = plain(replace(graph.replace(nodes, values), parameters=tuple(parameters)))
    ready = _untied(ready, given)
    return Prepared(ready, given, own)


def _untied(graph: Graph, weights: dict[str, Array]) -> Graph:
    """Exporters store tensors of equal elements once: every norm of a fresh network has the same
    ones. Vectors of one repeated number become each reader's own again, as they were."""
    uses = graph.uses
    parameters: list[Parameter] = []
    places: dict[tuple[Value, Node], Value] = {}
    for p in graph.parameters:
        readers = list(dict.fromkeys(uses.get(p.value, ())))
        array = weights[p.path]
        flat = array.reshape(-1)
        if array.ndim != 1 or len(readers) < 2 or not (flat == flat[:1]).all():
            parameters.append(p)
            continue
        prefix = p.path.rpartition(".")[0]
        home = next((n for n in readers if prefix and n.origin.scope == prefix), readers[0])
        for number, node in enumerate(readers):
            if node is home:
                parameters.append(p)
                continue
            # no path: what reads it tells where it belongs
            path = f"{p.path.replace('.', '_')}::{number}::{p.path.rpartition('.')[2]}"
            (path,) = parameter_paths([path], weights).values()
            value = Value(p.value.type, path)
            places[p.value, node] = value
            parameters.append(Parameter(path, value, p.kind))
            weights[path] = array
    values: dict[Value, Value] = {}
    nodes = []
    for node in graph.nodes:
        own = {v: values[v] for v in node.operands if v in values}
        own |= {v: places[v, node] for v in node.operands if (v, node) in places}
        new = remap(node, own)
        nodes.append(new)
        values.update((a, b) for a, b in zip(node.outputs, new.outputs, strict=True) if a is not b)
    return replace(graph.replace(nodes, values), parameters=tuple(parameters))


def _is_large(node: Node) -> bool:
    return isinstance(node.op, Constant) and not can_write(node.op.value.array)
