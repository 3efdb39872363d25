"""Model-local functions: their nodes stand in the graph where they are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import onnx

from nncomp.errors import error
from nncomp.onnx_import.scope import Item, Scope
from nncomp.source import Span

if TYPE_CHECKING:
    from nncomp.onnx_import.importer import Importer

Name = tuple[str, str, str]
MAX_DEPTH = 64


def by_name(model: onnx.ModelProto) -> dict[Name, onnx.FunctionProto]:
    """The functions of a model by domain, name and overload."""
    return {
        ("" if f.domain == "ai.onnx" else f.domain, f.name, f.overload): f for f in model.functions
    }


def call(
    importer: Importer,
    caller: Scope,
    node: onnx.NodeProto,
    function: onnx.FunctionProto,
    path: str,
    span: Span | None,
) -> Sequence[Item]:
    """The results of a call. CompileError NN0805 if the function calls itself or lacks a result,
    NN0003 if calls are nested too deeply."""
    name = (function.domain, function.name, function.overload)
    if name in importer.calling:
        raise error("NN0805", f"the function `{function.name}` calls itself", span)
    if len(importer.calling) >= MAX_DEPTH:
        raise error("NN0003", f"functions call functions more than {MAX_DEPTH} deep", span)
    if len(node.input) > len(function.input):
        raise error(
            "NN0805",
            f"`{function.name}` takes {len(function.input)} operands, not {len(node.input)}",
            span,
        )
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in function.opset_import}
    given = {a.name: a for a in function.attribute_proto}
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            given[attribute.name] = attribute
        elif attribute.ref_attr_name in caller.given:
            given[attribute.name] = caller.given[attribute.ref_attr_name]
    scope = Scope(caller.b, {**caller.opsets, **opsets}, given=given, path=path)
    scope.stated = {info.name: info for info in function.value_info}
    absent = set(function.input[len(node.input) :])
    for formal, actual in zip(function.input, node.input, strict=False):
        item = importer.item(caller, actual, span)
        if item is None:
            absent.add(formal)
        else:
            scope.names[formal] = item
    scope.absent = frozenset(absent)
    importer.calling.append(name)
    importer.nodes(scope, function.node)
    importer.calling.pop()
    results = [importer.item(scope, result, span) for result in function.output]
    return [result for result in results if result is not None]
