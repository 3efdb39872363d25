"""SequenceMap: a Loop over the places of a sequence, whose body collects what its graph gives."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import helper

from nncomp.ir.graph import Value
from nncomp.onnx_import.containers import whole
from nncomp.onnx_import.operation import Operation
from nncomp.onnx_import.scope import Item
from nncomp.types import SequenceType

_MARK = "nncomp/map"  # what no name in a model begins with


def read_map(operation: Operation) -> Sequence[Item]:
    """The results of a SequenceMap: its graph, given a tensor of each sequence at a time."""
    importer, scope, operands = operation.importer, operation.scope, operation.operands
    graph = operation.graph("body")
    if len(graph.input) != len(operands) or not operands:
        text = f"the subgraph takes {len(graph.input)} values, not {len(operands)}"
        raise operation.refuse("NN0805", text)
    prefix = f"{_MARK}.{importer.count}"
    steps = []
    for number, (item, info) in enumerate(zip(operands, graph.input, strict=True)):
        if item is None:
            raise operation.refuse("NN0702", f"SequenceMap lacks its operand {number + 1}")
        value = whole(importer, scope, item)
        name = f"{prefix}.{number}"
        scope.names[name] = value
        if isinstance(value.type, SequenceType):
            steps.append(helper.make_node("SequenceAt", [name, f"{prefix}.i"], [info.name]))
        else:
            steps.append(helper.make_node("Identity", [name], [info.name]))
    first = scope.names[f"{prefix}.0"]
    if not isinstance(first, Value) or not isinstance(first.type, SequenceType):
        raise operation.refuse("NN0203", "the first operand of SequenceMap is a sequence")
    importer.nodes(scope, _loop(graph, steps, prefix))
    return [scope.names[_result(prefix, k)] for k in range(len(graph.output))]


def _result(prefix: str, number: int) -> str:
    return f"{prefix}.result.{number}"


def _loop(graph: onnx.GraphProto, steps: list[onnx.NodeProto], prefix: str) -> list[onnx.NodeProto]:
    """A Loop that takes `steps` to the inputs of the graph, and collects its results."""
    count = range(len(graph.output))
    collect = [
        helper.make_node(
            "SequenceInsert", [f"{prefix}.all.{k}", graph.output[k].name], [f"{prefix}.more.{k}"]
        )
        for k in count
    ]
    going = helper.make_node("Identity", [f"{prefix}.on"], [f"{prefix}.still"])
    body = helper.make_graph([*steps, *graph.node, *collect, going], "map", [], [])
    names = [f"{prefix}.i", f"{prefix}.on", *(f"{prefix}.all.{k}" for k in count)]
    body.input.extend(onnx.ValueInfoProto(name=name) for name in names)
    names = [f"{prefix}.still", *(f"{prefix}.more.{k}" for k in count)]
    body.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    body.initializer.extend(graph.initializer)
    body.value_info.extend(graph.value_info)
    empty = [f"{prefix}.none.{k}" for k in count]
    results = [_result(prefix, k) for k in count]
    return [
        helper.make_node("SequenceLength", [f"{prefix}.0"], [f"{prefix}.length"]),
        *(
            helper.make_node(
                "SequenceEmpty", [], [name], dtype=info.type.tensor_type.elem_type or 1
            )
            for name, info in zip(empty, graph.output, strict=True)
        ),
        helper.make_node("Loop", [f"{prefix}.length", "", *empty], results, body=body),
    ]
