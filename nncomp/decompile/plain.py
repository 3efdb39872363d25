"""Operators in the one form that the library writes them in.

Nothing of this changes a result: attributes that say what holds without them, a Gemm that is a
product and a sum, Identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nncomp.dims import DimLike, symbols_in
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.live import live_nodes
from nncomp.ir.op import Op
from nncomp.ir.rebuild import remap
from nncomp.ir.sizes import sources
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conversion import Identity
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.pooling_average import AveragePool
from nncomp.ops.pooling_max import MaxPool
from nncomp.ops.shape import Reshape, Squeeze, Transpose
from nncomp.types import DType


def plain(graph: Graph) -> Graph:
    """The graph with its operators in the library's form."""
    values: dict[Value, Value] = {}
    nodes: list[Node] = []
    sizes = _Sizes(graph, nodes)
    for node in graph.nodes:
        results = _rewritten(sizes.told(node, values), nodes)
        values.update(
            (old, new) for old, new in zip(node.outputs, results, strict=True) if old is not new
        )
    plain = graph.replace(nodes, values)
    return plain.replace(live_nodes(plain))


def _rewritten(node: Node, nodes: list[Node]) -> Sequence[Value]:
    """Adds the node in its plain form; its results."""
    if isinstance(node.op, Identity) and node.inputs[0] is not None:
        return [node.inputs[0]]
    product = _product(node, node.op) if isinstance(node.op, Gemm) else None
    if product is not None:
        nodes += product
        return product[-1].outputs
    if isinstance(node.op, _ELEMENTWISE):
        node = _with_numbers(node, nodes)
    form = _FORMS.get(type(node.op))
    op = form(node.op, node) if form else node.op
    if op != node.op:
        types = tuple(v.type for v in node.outputs)
        node = Node(op, node.inputs, types, node.origin, tuple(v.name for v in node.outputs))
    nodes.append(node)
    return node.outputs


class _Sizes:
    """Dims in place of the operators that computed them."""

    def __init__(self, graph: Graph, nodes: list[Node]) -> None:
        self._known = set(sources(graph.inputs))
        self._nodes = nodes
        self._b = Builder()

    def told(self, node: Node, values: Mapping[Value, Value]) -> Node:
        """The node with its operands replaced: by `values`, and by dims where their elements are
        known."""
        own = {v: values[v] for v in node.operands if v in values}
        if not node.op.bodies:
            now = {v: own.get(v, v) for v in node.operands}
            own |= {v: self._dims(new) for v, new in now.items() if self._is_told(new)}
        return remap(node, own)

    def _is_told(self, value: Value) -> bool:
        elements = value.type.elements
        if elements is None or value.type.dtype is not DType.I64 or value.rank > 1:
            return False
        op = value.node.op if value.node is not None else None
        if op is None or isinstance(op, Constant | Dims) or dim_as_number(value) is not None:
            return False
        symbols = symbols_in(elements)
        return symbols <= self._known

    def _dims(self, value: Value) -> Value:
        elements = value.type.elements
        assert elements is not None
        before = len(self._b.nodes)
        if value.rank:
            found = self._b.dims(elements)
        elif isinstance(elements[0], int):
            found = self._b.constant(elements[0], DType.I64)
        else:
            found = self._b(Squeeze(), self._b.dims(elements), self._b.ints(0))
        self._nodes += self._b.nodes[before:]
        return found


def dim_as_number(value: Value) -> DimLike | None:
    """The dim of which the value is the size as a number, `i64(N)` in the language."""
    node = value.node
    if node is None or not isinstance(node.op, Squeeze) or len(node.operands) != 2:
        return None
    source = node.operands[0].node
    if source is None or not isinstance(source.op, Dims) or len(source.op.dims) != 1:
        return None
    return source.op.dims[0] if node.operands[1].type.elements == (0,) else None


def _product(node: Node, op: Gemm) -> list[Node] | None:
    """x @ W, or x @ transpose(W), and the bias; None for what is no layer."""
    x, w, bias = (*node.inputs, None)[:3]
    assert x is not None
    assert w is not None
    if op.transA or op.alpha != 1 or op.beta != 1 or (bias is not None and bias.rank != 1):
        return None
    b = Builder(node.origin)
    y = b(MatMul(), x, b(Transpose((1, 0)), w) if op.transB else w)
    if bias is not None:
        y = b(Add(), y, bias)
    y.name = node.outputs[0].name
    return b.nodes


_ELEMENTWISE = (Add, Sub, Mul, Div)


def _with_numbers(node: Node, nodes: list[Node]) -> Node:
    """Constants of one element as numbers where that does not change the result's shape."""
    b = Builder(node.origin)
    numbers: dict[Value, Value] = {}
    for value, other in zip(node.operands, reversed(node.operands), strict=True):
        op = value.node.op if value.node is not None else None
        if isinstance(op, Constant) and op.value.array.size == 1 and 0 < value.rank <= other.rank:
            numbers[value] = b.constant(op.value.array.reshape(()))
    nodes += b.nodes
    return remap(node, numbers)


def _convolution(op: Any, node: Node) -> Op:
    x, w = node.operands[:2]
    rank = x.rank - 2
    kernel = w.type.static_shape[2:] if w.type.is_static else op.kernel_shape
    return _windowed(op, rank, kernel)


def _windowed(op: Any, rank: int, kernel: Any) -> Op:
    if op.auto_pad not in ("NOTSET", "VALID"):
        return op  # type: ignore[no-any-return]
    pads = (0,) * 2 * rank if op.pads is None or op.auto_pad == "VALID" else op.pads
    return replace(  # type: ignore[no-any-return]
        op,
        auto_pad="NOTSET",
        kernel_shape=kernel,
        strides=op.strides or (1,) * rank,
        dilations=op.dilations or (1,) * rank,
        pads=pads,
    )


def _transposed(op: Any, node: Node) -> Op:
    plain = _convolution(op, node)
    if op.output_shape is None and op.output_padding is None:
        plain = replace(plain, output_padding=(0,) * (node.operands[0].rank - 2))  # type: ignore[call-arg]
    return plain


def _average(op: Any, node: Node) -> Op:
    """The library's has no dilations, and says none."""
    given = _windowed(op, node.operands[0].rank - 2, op.kernel_shape)
    plain = all(d == 1 for d in given.dilations or ())  # type: ignore[attr-defined]
    return replace(given, dilations=None) if plain else given  # type: ignore[call-arg]


def _reshape(op: Any, node: Node) -> Op:
    """That a 0 is a size says nothing where there is none."""
    sizes = node.operands[1].type.elements
    plain: Op = op if sizes is None or 0 in sizes else replace(op, allowzero=0)
    return plain


def _layer_norm(op: Any, node: Node) -> Op:
    plain: Op = replace(op, axis=-1) if op.axis == node.operands[0].rank - 1 else op
    return plain


_FORMS: dict[type[Op], Callable[[Any, Node], Op]] = {
    Conv: _convolution,
    ConvTranspose: _transposed,
    MaxPool: lambda op, node: _windowed(op, node.operands[0].rank - 2, op.kernel_shape),
    AveragePool: _average,
    BatchNormalization: lambda op, _: op if op.training_mode else replace(op, momentum=0.9),
    LayerNormalization: _layer_norm,
    Reshape: _reshape,
}
