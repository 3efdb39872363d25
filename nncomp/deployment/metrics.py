"""The losses and metrics of a model as a function of its outputs: who computes the outputs does
not matter then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.rebuild import remap


def of_outputs(
    evaluation: Graph, predictions: Mapping[str, Value], features: Collection[str]
) -> tuple[Graph, list[str]]:
    """The part of an evaluation that comes after the model's outputs, which become inputs of it;
    and the names of losses and metrics that are left out, being computed of something else.

    evaluation: losses and metrics out; predictions: the model's outputs in it
    features: the names of the model's own inputs
    """
    values: dict[Value, Value] = {}
    inputs: dict[Value, Value] = {}
    for name, value in predictions.items():
        inputs[value] = values[value] = Value(value.type, name)
    own = {value for value in evaluation.inputs if value.name in features}
    behind: set[Value] = set(own)  # what the model's inputs lead to, other than by its outputs
    after: set[Value] = set()  # what its outputs lead to
    for node in evaluation.nodes:
        after_outputs = any(v in inputs or v in after for v in node.operands)
        bypassed = any(v in behind and v not in inputs for v in node.operands)
        behind.update(node.outputs if bypassed else ())
        after.update(node.outputs if after_outputs else ())
    kept = {
        name: value
        for name, value in evaluation.outputs.items()
        if value not in behind and (value in after or value in inputs)
    }
    needed = set(kept.values()) - inputs.keys()
    wanted: list[Node] = []
    for node in reversed(evaluation.nodes):
        if any(v in needed for v in node.outputs):
            needed.update(v for v in node.operands if v not in inputs)
            wanted.append(node)
    rebuilt = [remap(node, values) for node in reversed(wanted)]
    labels = [value for value in evaluation.inputs if value in needed]
    graph = replace(
        evaluation,
        inputs=(*labels, *inputs.values()),
        parameters=tuple(p for p in evaluation.parameters if p.value in needed),
        nodes=tuple(rebuilt),
        outputs={name: values.get(value, value) for name, value in kept.items()},
        updates={},
        obligations=(),
    )
    return graph, [name for name in evaluation.outputs if name not in kept]
