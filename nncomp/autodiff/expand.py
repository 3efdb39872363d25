"""The pass over `Grad` nodes: each becomes the ordinary nodes that compute its gradients."""

from __future__ import annotations

from nncomp.autodiff.reverse import gradients
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.rebuild import remap
from nncomp.ops.grad import Grad
from nncomp.ops.gradient import zeros_like


def expand_gradients(graph: Graph) -> Graph:
    """The graph with every Grad expanded, those of gradients too; itself if there is none.

    Nodes are taken in topological order, so that where a loss holds a gradient, that gradient
    consists of ordinary nodes already. Raises CompileError (NN0401, NN0402).
    """
    if not any(isinstance(node.op, Grad) for node in graph.nodes):
        return graph
    b = Builder()
    values: dict[Value, Value] = {}
    for node in graph.nodes:
        if isinstance(node.op, Grad):
            _expand(b, node, values)
        else:
            b.append(remap(node, values))
    return graph.replace(b.nodes, values)


def _expand(b: Builder, node: Node, values: dict[Value, Value]) -> None:
    loss, *wrt = (values.get(v, v) for v in node.operands)
    with b.at(node.origin):
        for result, operand, gradient in zip(
            node.outputs, wrt, gradients(b, loss, wrt), strict=True
        ):
            values[result] = zeros_like(b, operand) if gradient is None else gradient
