"""Lowering for onnxruntime: a graph of standard operators that means the same.

Operators of our own domain, and those that the runtime has no kernel for, are replaced by bodies:
of several, the cheapest for the shape and the provider. The nodes that a body adds carry
`legalize/NAME` in their history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nncomp.backends.ort.blocked.operators import Blocked
from nncomp.backends.ort.bodies import BODIES
from nncomp.backends.ort.bodies.body import Body, Results, Target
from nncomp.backends.ort.hoist import hoist_dims
from nncomp.backends.ort.opsets import IR_OPSET, VERSIONS, InexpressibleError, spell
from nncomp.backends.ort.shapes import RuntimeShapes, static_reshape
from nncomp.backends.ort.sharing import share_transposed
from nncomp.backends.ort.widen import with_kernels, without_kernel
from nncomp.collector import collector_paused
from nncomp.dims import Symbol, equal
from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Body as Region
from nncomp.ir.graph import Graph, Node, Origin, Rewrite, Value
from nncomp.ir.live import live_nodes
from nncomp.ir.opaque import Opaque
from nncomp.ir.rebuild import remap
from nncomp.ops.shape import Reshape

__all__ = ["Target", "choose_body", "legalize", "weigh_bodies"]

_MAX_ROUNDS = 16  # bodies of bodies of bodies; more means that two expand into each other


def choose_body(node: Node, target: Target) -> Body | None:
    """The cheapest body that applies to the node; None for the operator's decomposition."""
    weighed = weigh_bodies(node, target)
    costs = {body: cost for body, cost in weighed.items() if not isinstance(cost, str)}
    return min(costs, key=costs.__getitem__, default=None)


def weigh_bodies(node: Node, target: Target) -> dict[Body, float | str]:
    """For each body of the node's operator its cost, or why it does not apply."""
    return {
        body: body.refuses(node, target) or body.cost(node, target)
        for body in BODIES.get(type(node.op), ())
    }


Choose = Callable[[Node, Target], Body | None]


@collector_paused()
def legalize(graph: Graph, target: Target | None = None, *, choose: Choose = choose_body) -> Graph:
    """The graph with standard operators only, which onnxruntime has kernels for; with those of
    its blocked layout too, where the target asks for it.

    choose: picks the body of a node; the default picks the cheapest
    CompileError NN0603 for an operator without body and decomposition, and for a dtype that the
    runtime has no kernel for, nor for a wider one; NN0206 for a size that cannot be computed from
    the inputs.
    """
    target = target or Target()
    if target.block is not None:
        from nncomp.backends.ort.blocked.layout import block_layout

        graph = block_layout(graph, target.block)
    for _ in range(_MAX_ROUNDS):
        graph, changed = _expand(graph, target, choose)
        if not changed:
            return with_kernels(share_transposed(_materialize_shapes(graph)), target)
    raise AssertionError("bodies expand without end")


def _expand(graph: Graph, target: Target, choose: Choose) -> tuple[Graph, bool]:
    """One round: each node that needs a body gets it."""
    b = Builder()
    values: dict[Value, Value] = {}
    changed = False
    for original in live_nodes(graph):
        node = remap(original, values)
        if node.op.bodies:
            node, inside = _expand_bodies(node, target, choose)
            values.update(zip(original.outputs, node.outputs, strict=True))
            changed |= inside
        body = choose(node, target) if type(node.op) in BODIES else None
        if body is None and not _must_decompose(node, target):
            b.append(node)
            continue
        changed = True
        rewrite = Rewrite("legalize", body.name if body else "decompose")
        with b.at(node.origin.merged((), rewrite)):
            results = body.build(b, node) if body else _decompose(b, node)
        if isinstance(results, Value):
            results = (results,)
        for old, new in zip(original.outputs, results, strict=True):
            _require_same_type(node, old, new)
            values[old] = new
    return graph.replace(b.nodes, values), changed


def _expand_bodies(node: Node, target: Target, choose: Choose) -> tuple[Node, bool]:
    """A round in each body of control flow."""
    expanded = [_expand(body, target, choose) for body in node.op.bodies]
    if not any(changed for _, changed in expanded):
        return node, False
    return _with_bodies(node, [body for body, _ in expanded]), True


def _with_bodies(node: Node, bodies: list[Graph]) -> Node:
    types = tuple(v.type for v in node.outputs)
    names = tuple(v.name for v in node.outputs)
    op = node.op.with_bodies([body for body in bodies if isinstance(body, Region)])
    return Node(op, node.inputs, types, node.origin, names)


def _must_decompose(node: Node, target: Target) -> bool:
    op = node.op
    if isinstance(op, Blocked):
        return target.block is None
    if op.domain:
        return op.domain not in VERSIONS and not isinstance(op, Dims | Opaque)
    if not op.has_decomposition():
        return False
    return not _spelt(node, target.opset or IR_OPSET) or without_kernel(node, target)


def _spelt(node: Node, opset: int) -> bool:
    try:
        spell(node, opset)
    except InexpressibleError:
        return False
    return True


def _decompose(b: Builder, node: Node) -> Results:
    op = node.op
    if not op.has_decomposition():
        spans = node.origin.spans
        raise error(
            "NN0603",
            f"`{op.name}` cannot be written in operators of ONNX",
            spans[0] if spans else None,
        )
    results: Results = op.decompose(b, *node.inputs)
    return results


def _require_same_type(node: Node, old: Value, new: Value) -> None:
    """Bodies that give another type are wrong: better found here than at run time."""
    a, b = old.type, new.type
    same = a.dtype is b.dtype and a.rank == b.rank
    if same:
        same = all(equal(x, y) is not False for x, y in zip(a.shape, b.shape, strict=True))
    assert same, f"a body of {node.op.name} gives {b} instead of {a}"


def _materialize_shapes(graph: Graph) -> Graph:
    """Computes `Dims` from the shapes of inputs; reshapes that need no computing get constants."""
    graph, sizes = hoist_dims(_with_constant_reshapes(graph))
    shapes = RuntimeShapes([*graph.inputs, *(p.value for p in graph.parameters)])
    return _with_shapes(graph, shapes, sizes)


def _with_shapes(
    graph: Graph, shapes: RuntimeShapes, sizes: Mapping[Region, Mapping[Symbol, Value]]
) -> Graph:
    """sizes: for a body, where it is given the size that a symbol stands for"""
    b = Builder()
    values: dict[Value, Value] = {}
    for node in live_nodes(graph):
        if isinstance(node.op, Dims):
            with b.at(Origin(node.origin.spans, "", node.origin.history)):
                values[node.outputs[0]] = shapes.vector(b, node.op, node)
            continue
        new = remap(node, values)
        if new.op.bodies:
            inner = [
                _with_shapes(body, RuntimeShapes(body.inputs, sizes.get(body, {})), sizes)
                for body in new.op.bodies
            ]
            new = _with_bodies(new, inner)
            values.update(zip(node.outputs, new.outputs, strict=True))
        b.append(new)
        shapes.offer(new.outputs)
    return graph.replace(b.nodes, values)


def _with_constant_reshapes(graph: Graph) -> Graph:
    """The graph with constants as shapes of reshapes where they can say it."""
    b = Builder()
    values: dict[Value, Value] = {}
    for original in graph.nodes:
        node = remap(original, values)
        shape = _constant_reshape(node)
        if shape is not None:
            types = tuple(v.type for v in node.outputs)
            names = tuple(v.name for v in node.outputs)
            inputs = (node.inputs[0], b.ints(*shape))
            node = Node(node.op, inputs, types, node.origin, names)
            values.update(zip(original.outputs, node.outputs, strict=True))
        elif node.op.bodies:
            node = _with_bodies(node, [_with_constant_reshapes(body) for body in node.op.bodies])
            values.update(zip(original.outputs, node.outputs, strict=True))
        b.append(node)
    return graph.replace(b.nodes, values)


def _constant_reshape(node: Node) -> list[int] | None:
    """The numbers for a Reshape whose shape would be computed at run time, if they can be."""
    if not isinstance(node.op, Reshape) or node.op.allowzero:
        return None
    data, shape = node.inputs
    assert data is not None
    assert shape is not None
    if shape.node is not None and isinstance(shape.node.op, Constant):
        return None
    return static_reshape(node.outputs[0].shape, data.shape)
