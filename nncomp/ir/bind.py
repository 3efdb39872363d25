"""Weights into a graph: its parameters become constants."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from nncomp.errors import CompileError, Diagnostic, did_you_mean
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Origin, Parameter, Value
from nncomp.ir.op import Data
from nncomp.ir.rebuild import remap
from nncomp.types import Array, DType, TensorType


def bind(graph: Graph, weights: Mapping[str, Array]) -> Graph:
    """The graph with its parameters as constants, named by their paths.

    Parameters that the graph updates stay parameters, and need no weights.
    Raises CompileError (NN0502) that lists every tensor that is missing, unknown, or of another
    shape or dtype.
    """
    bound = [p for p in graph.parameters if p.path not in graph.updates]
    found = disagreements(bound, weights)
    if found:
        raise CompileError(*found)
    values: dict[Value, Value] = {}
    nodes = [_constant(p, weights[p.path], values) for p in bound]
    nodes += [remap(node, values) for node in graph.nodes]
    kept = tuple(p for p in graph.parameters if p.path in graph.updates)
    return dataclasses.replace(graph.replace(nodes, values), parameters=kept)


def _constant(parameter: Parameter, array: Array, values: dict[Value, Value]) -> Node:
    op = Constant(Data(np.asarray(array)))
    scope = parameter.path.rpartition(".")[0]
    node = Node(op, (), (op.infer(),), Origin(scope=scope), (parameter.path,))
    values[parameter.value] = node.outputs[0]
    return node


def disagreements(parameters: list[Parameter], weights: Mapping[str, Array]) -> list[Diagnostic]:
    found = []
    missing = []
    for parameter in parameters:
        path, type_ = parameter.path, parameter.value.type
        if path not in weights:
            missing.append(parameter)
        elif (has := _type_of(weights[path])) != type_:
            found.append(_misfit(path, has, type_))
    extra = weights.keys() - {p.path for p in parameters}
    for parameter in missing:
        path = parameter.path
        help_ = did_you_mean(path, extra)
        found.append(_diagnostic(f"the weights lack `{path}`, {parameter.value.type}", help_))
    for path in sorted(extra):
        twin = next((p for p in map(_path, parameters) if _is_same(weights, path, p)), None)
        same = f" (the same numbers as `{twin}`)" if twin else ""
        found.append(_diagnostic(f"the model has no `{path}`, which the weights hold{same}"))
    return found


def _path(parameter: Parameter) -> str:
    return parameter.path


def _is_same(weights: Mapping[str, Array], one: str, other: str) -> bool:
    """Whether both names have the same numbers, as a shared tensor that was stored twice."""
    if other not in weights or weights[one].shape != weights[other].shape or not weights[one].ndim:
        return False
    return np.array_equal(weights[one], weights[other])


def _misfit(path: str, has: TensorType | str, wants: TensorType) -> Diagnostic:
    message = f"`{path}` is {has} in the weights, the model wants {wants}"
    if isinstance(has, TensorType) and has.rank > 1 and has.dtype is wants.dtype:
        if has.shape == wants.shape[::-1]:
            return _diagnostic(
                f"{message}: its axes are in the opposite order",
                "`Linear` keeps its weight as [out, in], `Linear(…, transposed=true)` as [in, out]",
            )
        if sorted(map(str, has.shape)) == sorted(map(str, wants.shape)):
            order = "`Conv` keeps its weight as [out, in, height, width]"
            return _diagnostic(f"{message}: its axes are in another order", order)
    return _diagnostic(message)


def _type_of(array: Array) -> TensorType | str:
    try:
        return TensorType(DType.of(array), array.shape)
    except KeyError:
        return f"{array.dtype}{list(array.shape)}"


def _diagnostic(message: str, help: str | None = None) -> Diagnostic:
    return Diagnostic("NN0502", message, help=help)
