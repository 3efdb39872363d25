"""Nodes with other operands: what every graph rebuilding needs."""

from __future__ import annotations

from collections.abc import MutableMapping

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value


def remap(node: Node, values: MutableMapping[Value, Value]) -> Node:
    """The node with its operands replaced by `values`; itself if none is among them.

    The results of a new node are entered in `values`. Where more is known of an operand's
    contents than before, types are inferred anew.
    """
    if not values or values.keys().isdisjoint(node.operands):
        return node
    inputs = tuple(None if v is None else values.get(v, v) for v in node.inputs)
    types = tuple(output.type for output in node.outputs)
    if any(_is_news(*pair) for pair in zip(node.inputs, inputs, strict=True)):
        inferred = Builder(node.origin).infer(node.op, inputs)
        # a size that only the run knows is inferred as another symbol each time: keep the first
        types = tuple(new if new == old else old for old, new in zip(types, inferred, strict=True))
    new_node = Node(node.op, inputs, types, node.origin, tuple(v.name for v in node.outputs))
    values.update(zip(node.outputs, new_node.outputs, strict=True))
    return new_node


def _is_news(old: Value | None, new: Value | None) -> bool:
    return old is not None and new is not None and old.type.elements != new.type.elements


def ancestors(*values: Value) -> list[Node]:
    """The nodes that the values depend on, their own among them, in topological order."""
    order: list[Node] = []
    seen: set[Node] = set()
    for value in values:
        if value.node is not None and value.node not in seen:
            seen.add(value.node)
            _visit(value.node, seen, order)
    return order


def _visit(node: Node, seen: set[Node], order: list[Node]) -> None:
    stack = [(node, iter(node.operands))]
    while stack:
        node, operands = stack[-1]
        for value in operands:
            if value.node is not None and value.node not in seen:
                seen.add(value.node)
                stack.append((value.node, iter(value.node.operands)))
                break
        else:
            order.append(node)
            stack.pop()
