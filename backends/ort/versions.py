"""The opset of a graph of standard operators."""

from __future__ import annotations

from typing import Any

from nncomp.backends.ort.blocked.operators import Blocked
from nncomp.backends.ort.opsets import (
    FIRST_OPSET,
    IR_OPSET,
    VERSIONS,
    InexpressibleError,
    lowest_opset,
    spell,
)
from nncomp.errors import CompileError, Note, error
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node
from nncomp.ir.live import live_nodes
from nncomp.ir.opaque import Opaque


def choose_opset(graph: Graph, requested: int | None) -> int:
    """The opset that was asked for, or the lowest that expresses all live nodes. CompileError
    NN0601, NN0603."""
    if requested is not None and not FIRST_OPSET <= requested <= IR_OPSET:
        raise error(
            "NN0601", f"opset {requested} is not one of those written, {FIRST_OPSET} to {IR_OPSET}"
        )
    lowest = FIRST_OPSET
    known: dict[Any, int] = {}
    pending = live_nodes(graph)[::-1]
    while pending:
        node = pending.pop()
        for body in node.op.bodies:
            pending += live_nodes(body)
        if isinstance(node.op, Blocked | Opaque) or node.op.domain in VERSIONS:
            continue
        if node.op.domain:
            raise error(
                "NN0603",
                f"`{node.op.name}` is not an operator of ONNX",
                node.origin.spans[0] if node.origin.spans else None,
            )
        if isinstance(node.op, Constant):
            continue
        key = (node.op, tuple(v and (v.type, v.type.elements) for v in node.inputs))
        if key not in known:
            known[key] = _node_opset(node, requested)
        lowest = max(lowest, known[key])
    return lowest if requested is None else requested


def _node_opset(node: Node, requested: int | None) -> int:
    try:
        if requested is not None:
            spell(node, requested)
            return requested
        return lowest_opset(node)
    except InexpressibleError as refusal:
        raise _cannot_express(node, requested or IR_OPSET, refusal) from None


def _cannot_express(node: Node, opset: int, refusal: InexpressibleError) -> CompileError:
    try:
        hint = f"use `--opset {lowest_opset(node)}` or leave the choice to the compiler"
    except InexpressibleError:
        hint = None
    spans = node.origin.spans
    return error(
        "NN0601",
        f"opset {opset} cannot express this: {refusal}",
        spans[0] if spans else None,
        node.op.name,
        notes=[Note("also from here", span) for span in spans[1:3]],
        help=hint,
    )
