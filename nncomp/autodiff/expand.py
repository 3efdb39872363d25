"""The pass over `Grad` and `Jvp` nodes: each becomes the nodes that compute its derivatives."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from nncomp.autodiff.loops import loops_as_scans
from nncomp.autodiff.reverse import gradients, pull_back
from nncomp.autodiff.scans import longer_scan
from nncomp.collector import collector_paused
from nncomp.errors import CompileError, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.rebuild import ancestors, remap
from nncomp.limits import limits
from nncomp.ops.control import Scan
from nncomp.ops.grad import DERIVATIVES, Jvp
from nncomp.ops.gradient import zeros_like

# A gradient is a few times as large as what it is of; for one within another the factors multiply,
# so that a dozen would never end. A small graph may grow to a part of the limit of nodes.
_GROWTH = 100
_PART = 40


@collector_paused()
def expand_gradients(graph: Graph) -> Graph:
    """The graph with every Grad and Jvp expanded, nested ones too; itself if there is none.

    Nodes are taken in topological order, so that where a loss holds a gradient, that gradient
    consists of ordinary nodes already. Raises CompileError (NN0401, NN0402; NN0004 where
    derivatives of derivatives grow too large).
    """
    if not _holds_derivative(graph):
        return graph
    asked = [node.operands[0] for node in graph.nodes if isinstance(node.op, DERIVATIVES)]
    graph = loops_as_scans(graph, set(ancestors(*asked)))
    most = max(limits().nodes // _PART, _GROWTH * len(graph.nodes))
    b = Builder()
    values: dict[Value, Value] = {}
    for node in graph.nodes:
        if isinstance(node.op, DERIVATIVES):
            _expand(b, node, values)
            if len(b.nodes) > most:
                raise _too_large(node, most)
            continue
        new = remap(node, values)
        if any(map(_holds_derivative, node.op.bodies)):
            new = _expand_bodies(new)
            values.update(zip(node.outputs, new.outputs, strict=True))
        b.append(new)
    return merge_scans(graph.replace(b.nodes, values))


def _too_large(node: Node, most: int) -> CompileError:
    return error(
        "NN0004",
        f"with this derivative, the graph has over {most:,} nodes",
        node.origin.spans[0] if node.origin.spans else None,
        help="each derivative of a derivative is several times as large as the one inside",
    )


def _holds_derivative(graph: Graph) -> bool:
    return any(
        isinstance(node.op, DERIVATIVES) or any(map(_holds_derivative, node.op.bodies))
        for node in graph.nodes
    )


def _expand_bodies(node: Node) -> Node:
    bodies = [body for body in map(expand_gradients, node.op.bodies) if isinstance(body, Body)]
    types = tuple(v.type for v in node.outputs)
    names = tuple(v.name for v in node.outputs)
    return Node(node.op.with_bodies(bodies), node.inputs, types, node.origin, names)


def _expand(b: Builder, node: Node, values: dict[Value, Value]) -> None:
    y, *operands = (values.get(v, v) for v in node.operands)
    with b.at(node.origin):
        if isinstance(node.op, Jvp):
            values[node.outputs[0]] = directional(b, y, operands[::2], operands[1::2])
            return
        for result, operand, gradient in zip(
            node.outputs, operands, gradients(b, y, operands), strict=True
        ):
            values[result] = zeros_like(b, operand) if gradient is None else gradient


def directional(b: Builder, y: Value, wrt: Sequence[Value], tangents: Sequence[Value]) -> Value:
    """Σ (∂y/∂x) v over the x of `wrt` and their tangents v, of y's type.

    The gradients g = (∂y/∂x)ᵀ u are linear in u, so that going back through them once more, from
    Σ ⟨g, v⟩ to u, gives J v: every operator with a second-order gradient has a forward mode
    (J. Townsend, "A new trick for calculating Jacobian vector products", 2017). What stands for u
    feeds nothing of the result, and is removed as dead.
    """
    u = zeros_like(b, y)
    seeds = [
        (gradient, tangent)
        for gradient, tangent in zip(gradients(b, y, wrt, u), tangents, strict=True)
        if gradient is not None
    ]
    (tangent,) = pull_back(b, seeds, [u])
    return zeros_like(b, y) if tangent is None else tangent


def merge_scans(graph: Graph) -> Graph:
    """The graph with Scans of one body over the same operands made one, which gives the results
    of all: a gradient asks for a longer form of the Scan that it goes back through."""
    groups: dict[Hashable, list[Node]] = {}
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Scan):
            body = (id(op.body.inputs), id(op.body.nodes))
            places = (op.scan_input_axes, op.scan_input_directions)
            groups.setdefault((body, node.inputs, places), []).append(node)
    first_of = {n: group[0] for group in groups.values() if len(group) > 1 for n in group}
    if not first_of:
        return graph
    members = {group[0]: group for group in groups.values()}
    values: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node not in first_of:
            nodes.append(remap(node, values))
        elif node is first_of[node]:
            nodes.append(_merged(node, members[node], values))
    return graph.replace(nodes, values)


def _merged(first: Node, group: list[Node], values: dict[Value, Value]) -> Node:
    """One Scan for the group; `values` tells where each result is now."""
    found: dict[tuple[Value, int, int], int] = {}
    for node in group:
        assert isinstance(node.op, Scan)
        for value, place in zip(node.op.yields, node.op.output_places, strict=True):
            found.setdefault((value, *place), len(found))
    assert isinstance(first.op, Scan)
    n = first.op.num_states
    states = dict(list(first.op.body.outputs.items())[:n])
    short = replace(
        first.op,
        body=replace(first.op.body, outputs=states),
        scan_output_axes=None,
        scan_output_directions=None,
    )
    types = tuple(v.type for v in first.outputs[:n])
    names = tuple(v.name for v in first.outputs)
    inputs = tuple(None if v is None else values.get(v, v) for v in first.inputs)
    merged = longer_scan(Node(short, inputs, types, first.origin, names), list(found))
    for node in group:
        assert isinstance(node.op, Scan)
        values.update(zip(node.outputs[:n], merged.outputs[:n], strict=True))
        for output, value, place in zip(
            node.outputs[n:], node.op.yields, node.op.output_places, strict=True
        ):
            new = merged.outputs[n + found[(value, *place)]]
            new.name = new.name or output.name
            values[output] = new
    return merged
