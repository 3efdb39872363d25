"""Products of one tensor with several weights, as one product.

    x A, x B, x C  =  Split(x [A B C])          with biases: Split(x [A B C] + [a b c])

for constant matrices: the queries, keys and values of attention. The larger product uses the
processor better, and three products with three biases become three nodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ir.rebuild import remap
from nncomp.ops.elementwise import Add
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.shape_joining import Split
from nncomp.passes.base import Pass, PassContext, PassResult, Refusal
from nncomp.passes.eliminate_no_ops import same_type
from nncomp.types import Array

_RULE = "merge-parallel"


@dataclass(frozen=True)
class Unit:
    """A product with constant weights, and what is added to it.

    weights: [inner, columns]; bias: [columns]
    """

    nodes: tuple[Node, ...]
    weights: Array
    bias: Array | None

    @property
    def result(self) -> Value:
        return self.nodes[-1].outputs[0]

    @property
    def columns(self) -> int:
        return int(self.weights.shape[1])


@dataclass(frozen=True)
class MergeProducts(Pass):
    """x A, x B, x C → Split(x [A B C]), where that makes fewer nodes.

    Of MatMul, with a bias added or not, and of Gemm alike in their attributes; weights and biases
    are constants.
    """

    name = "merge-products"

    @property
    def rule_names(self) -> tuple[str, ...]:
        return (_RULE,)

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        found = _groups(graph)
        refusals = (
            *(
                Refusal(_RULE, unit.nodes[0], _why_not(group))
                for group in found
                if len(group) > 1 and _saved(group) <= 0
                for unit in group
            ),
            *_unknown(graph),
        )
        worth = [group for group in found if _saved(group) > 0]
        groups = [g for g in worth if context.allows(_RULE, *_all_nodes(g))]
        if not groups:
            return PassResult(graph, refusals=refusals)
        first = {group[0].nodes[0]: group for group in groups}
        gone = {node for group in groups for node in _all_nodes(group)}
        values: dict[Value, Value] = {}
        nodes: list[Node] = []
        for node in graph.nodes:
            if node in first:
                nodes += _merged(remap(node, values), first[node], values)
            elif node not in gone:
                nodes.append(remap(node, values))
        return PassResult(graph.replace(nodes, values), {_RULE: len(groups)}, refusals)


def _all_nodes(group: Sequence[Unit]) -> list[Node]:
    return [node for unit in group for node in unit.nodes]


def _groups(graph: Graph) -> list[list[Unit]]:
    """Units that multiply one tensor in the same way."""
    found: dict[Hashable, list[Unit]] = {}
    for node in graph.nodes:
        unit = _unit(graph, node)
        if unit is not None:
            inner = unit.weights.shape[0]
            found.setdefault((node.inputs[0], _kind(node), inner), []).append(unit)
    return list(found.values())


def _why_not(group: Sequence[Unit]) -> str:
    before = len(_all_nodes(group))
    after = before - _saved(group)
    count = f"{len(group)} products of one tensor, {before} nodes"
    return f"{count}, would be {after} as one product with a Split behind it"


def _unknown(graph: Graph) -> Iterator[Refusal]:
    """Of products that would be one if the numbers of their weights were known."""
    found: dict[Hashable, list[Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, MatMul | Gemm) and _array(node.inputs[1]) is None:
            x, w = node.operands[:2]
            if w.rank == 2:
                found.setdefault((x, node.op), []).append(node)
    for nodes in found.values():
        if len(nodes) > 1:
            reason = f"{len(nodes)} products of one tensor, with weights that are no constants"
            yield from (Refusal(_RULE, node, reason) for node in nodes)


def _kind(node: Node) -> Hashable:
    return dataclasses.replace(node.op, transB=0) if isinstance(node.op, Gemm) else MatMul()


def _saved(group: Sequence[Unit]) -> int:
    """How many nodes fewer there are once the units are one."""
    adds = isinstance(group[0].nodes[0].op, MatMul) and any(u.bias is not None for u in group)
    return len(_all_nodes(group)) - (3 if adds else 2)


def _unit(graph: Graph, node: Node) -> Unit | None:
    """The unit that starts with the product, if its weights are a constant matrix."""
    if not isinstance(node.op, MatMul | Gemm):
        return None
    weights = _array(node.inputs[1])
    if weights is None or weights.ndim != 2:
        return None
    if isinstance(node.op, Gemm):
        bias = _array(node.inputs[2]) if len(node.inputs) > 2 else None
        if len(node.inputs) > 2 and (bias is None or bias.ndim != 1):
            return None
        weights = weights.T if node.op.transB else weights
        return Unit((node,), weights, bias if bias is None else _wide(bias, weights))
    readers = graph.uses.get(node.outputs[0], ())
    if graph.use_count(node.outputs[0]) == 1 and readers and isinstance(readers[0].op, Add):
        add = readers[0]
        (other,) = (v for v in add.operands if v is not node.outputs[0])
        bias = _array(other)
        if bias is not None and bias.ndim == 1 and same_type(add.outputs[0], node.outputs[0]):
            return Unit((node, add), weights, _wide(bias, weights))
    return Unit((node,), weights, None)


def _wide(bias: Array, weights: Array) -> Array:
    return np.broadcast_to(bias, weights.shape[1:])


def _array(value: Value | None) -> Array | None:
    if value is None or value.node is None or not isinstance(value.node.op, Constant):
        return None
    return value.node.op.value.array


def _merged(node: Node, group: Sequence[Unit], values: dict[Value, Value]) -> list[Node]:
    """The nodes in the place of a group's; enters its results in `values`.

    node: the first product, of the graph that is being built
    """
    others = [n.origin for n in _all_nodes(group)[1:]]
    b = Builder(node.origin.merged(others, Rewrite(MergeProducts.name, _RULE)))
    weights = np.concatenate([unit.weights for unit in group], axis=1)
    bias = _biases(group)
    if isinstance(node.op, Gemm):
        op = dataclasses.replace(node.op, transB=0)
        y = b(op, node.inputs[0], b.constant(weights), None if bias is None else b.constant(bias))
    else:
        y = b(MatMul(), node.inputs[0], b.constant(weights))
        y = y if bias is None else b(Add(), y, b.constant(bias))
    sizes = b.ints(*(unit.columns for unit in group))
    names = tuple(unit.result.name for unit in group)
    parts = b.multi(Split(axis=y.rank - 1), y, sizes, names=names)
    values.update((unit.result, part) for unit, part in zip(group, parts, strict=True))
    return b.nodes


def _biases(group: Sequence[Unit]) -> Array | None:
    if all(unit.bias is None for unit in group):
        return None
    dtype = group[0].weights.dtype
    parts = [np.zeros(u.columns, dtype) if u.bias is None else u.bias for u in group]
    return np.concatenate(parts)
