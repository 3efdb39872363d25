"""Nodes of dtypes that onnxruntime has no kernel for: in a wider one between casts, or refused.

Numbers of the narrower dtype are numbers of the wider one, so that nothing is lost on the way
there; on the way back a float is rounded once, and an integer wraps as it would have.
"""

from __future__ import annotations

from nncomp.backends.ort.bodies.body import Target
from nncomp.backends.ort.kernels import kernels, lacking, may_lack
from nncomp.backends.ort.opsets import InexpressibleError, lowest_opset, spell
from nncomp.backends.ort.schemas import schema
from nncomp.backends.ort.versions import choose_opset
from nncomp.errors import CompileError, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Graph, Node, Rewrite, Value
from nncomp.ir.live import live_nodes
from nncomp.ir.rebuild import remap
from nncomp.ops.conversion import Cast
from nncomp.types import DType

_WIDER: dict[DType, tuple[DType, ...]] = {
    **dict.fromkeys((DType.F16, DType.BF16), (DType.F32,)),
    **dict.fromkeys((DType.I8, DType.I16), (DType.I32, DType.I64)),
    **dict.fromkeys((DType.U8, DType.U16), (DType.I32, DType.I64, DType.U32)),
    DType.BOOL: (DType.U8, DType.I32),
    DType.I32: (DType.I64,),
    DType.U32: (DType.I64, DType.U64),
}
# What these do with a number depends on how many bits it has.
_BY_WIDTH = {
    *("BitCast", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv"),
    *("QLinearMatMul", "ConvInteger", "MatMulInteger"),
}


def without_kernel(node: Node, target: Target) -> bool:
    """Whether onnxruntime has no kernel for the node, at the lowest opset that it needs, and none
    in a wider dtype."""
    if not may_lack(node, target.provider):
        return False
    try:
        opset = target.opset or lowest_opset(node)
    except InexpressibleError:  # which is said when it is written
        return False
    found = lacking(node, opset, target.provider)
    return found is not None and (node.op.name in _BY_WIDTH or found[1] not in _WIDER)


def with_kernels(graph: Graph, target: Target) -> Graph:
    """The graph, as it will be written, with every node in dtypes that onnxruntime has kernels
    for. CompileError NN0603 where no wider dtype has one, NN0601."""
    if not _suspicious(graph, target.provider):
        return graph
    return _widen(graph, choose_opset(graph, target.opset), target.provider)


def _suspicious(graph: Graph, provider: str) -> bool:
    return any(
        may_lack(node, provider) or any(_suspicious(body, provider) for body in node.op.bodies)
        for node in graph.nodes
    )


def _widen(graph: Graph, opset: int, provider: str) -> Graph:
    b = Builder()
    values: dict[Value, Value] = {}
    for original in live_nodes(graph):
        node = remap(original, values)
        if node.op.bodies:
            node = _with_bodies(node, opset, provider)
            values.update(zip(original.outputs, node.outputs, strict=True))
        found = lacking(node, opset, provider) if may_lack(node, provider) else None
        if found is None:
            b.append(node)
            continue
        with b.at(node.origin.merged((), Rewrite("legalize", "widen"))):
            results = _widened(b, node, *found, opset, provider)
        values.update(zip(original.outputs, results, strict=True))
    return graph.replace(b.nodes, values)


def _with_bodies(node: Node, opset: int, provider: str) -> Node:
    bodies = [_widen(body, opset, provider) for body in node.op.bodies]
    types = tuple(v.type for v in node.outputs)
    names = tuple(v.name for v in node.outputs)
    op = node.op.with_bodies([body for body in bodies if isinstance(body, Body)])
    return Node(op, node.inputs, types, node.origin, names)


def _widened(
    b: Builder, node: Node, variable: str, dtype: DType, opset: int, provider: str
) -> tuple[Value, ...]:
    for wide in () if node.op.name in _BY_WIDTH else _WIDER.get(dtype, ()):
        inner = Builder(b.origin)
        of_variable = _operands(node, variable, opset)
        inputs = [inner(Cast(wide), v) if v in of_variable else v for v in node.inputs]
        try:
            new = inner.add(node.op, inputs, tuple(v.name for v in node.outputs))
            spell(new, opset)
        except (CompileError, InexpressibleError):
            continue
        if not of_variable or lacking(new, opset, provider) is not None:
            continue
        b.nodes += inner.nodes
        return tuple(
            after if after.type.dtype is before.type.dtype else b(Cast(before.type.dtype), after)
            for before, after in zip(node.outputs, new.outputs, strict=True)
        )
    spans = node.origin.spans
    raise error(
        "NN0603",
        f"onnxruntime {kernels().version} has no kernel for {node.op.name} of {dtype} at opset "
        f"{opset}",
        spans[0] if spans else None,
        help="convert its operands with `cast`; docs/ops.md has what there are kernels for",
    )


def _operands(node: Node, variable: str, opset: int) -> set[Value | None]:
    """Those that are of a type variable."""
    known = schema(node.op.name, opset)
    assert known is not None
    last = len(known.inputs) - 1
    return {
        value
        for place, value in enumerate(node.inputs)
        if value is not None and known.inputs[min(place, last)].variable == variable
    }
