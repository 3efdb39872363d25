"""Nodes in an order in which they can be computed."""

from __future__ import annotations

from collections.abc import Sequence

import onnx


def in_order(nodes: Sequence[onnx.NodeProto]) -> Sequence[onnx.NodeProto]:
    """The nodes as they are, or sorted where one reads what a later one gives (a cycle stays, and
    fails where it is read)."""
    giver = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    needs = [_needs(node, i, giver) for i, node in enumerate(nodes)]
    if all(other < i for i, found in enumerate(needs) for other in found):
        return nodes
    readers: list[list[int]] = [[] for _ in nodes]
    open_needs = [len(found) for found in needs]
    for i, found in enumerate(needs):
        for other in found:
            readers[other].append(i)
    ready = [i for i, count in enumerate(open_needs) if not count][::-1]
    placed: list[int] = []
    while ready:
        i = ready.pop()
        placed.append(i)
        for reader in reversed(readers[i]):
            open_needs[reader] -= 1
            if not open_needs[reader]:
                ready.append(reader)
    left = sorted(set(range(len(nodes))) - set(placed))
    return [nodes[i] for i in (*placed, *left)]


def _needs(node: onnx.NodeProto, number: int, giver: dict[str, int]) -> set[int]:
    """The nodes that this one reads, itself or in its subgraphs."""
    found: set[int] = set()
    pending = [node]
    while pending:
        inner = pending.pop()
        found.update(giver[name] for name in inner.input if name in giver)
        for attribute in inner.attribute:
            if attribute.HasField("g"):
                pending += attribute.g.node
                found.update(giver[o.name] for o in attribute.g.output if o.name in giver)
    return found - {number}
