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
from nncomp.passes.rewrite import Facts
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
        worth: list[list[Unit]] = []
        refusals = [*_unbound(graph, context)]
        for group in _groups(graph):
            before, after = len(_all_nodes(group)), _count_merged(group)
            if after < before:
                worth.append(group)
            elif len(group) > 1:
                reason = _why_not(len(group), before, after)
                refusals += [Refusal(_RULE, unit.nodes[0], reason) for unit in group]
        groups = [g for g in worth if context.allows(_RULE, *_all_nodes(g))]
        if not groups:
            return PassResult(graph, refusals=tuple(refusals))
        first = {group[0].nodes[0]: group for group in groups}
        gone = {node for group in groups for node in _all_nodes(group)}
        values: dict[Value, Value] = {}
        nodes: list[Node] = []
        for node in graph.nodes:
            if node in first:
                nodes += _merged(remap(node, values), first[node], values)
            elif node not in gone:
                nodes.append(remap(node, values))
        return PassResult(graph.replace(nodes, values), {_RULE: len(groups)}, tuple(refusals))


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


def _why_not(products: int, before: int, after: int) -> str:
    count = f"{products} products of one tensor, {before} nodes"
    return f"{count}, would be {after} as one product with a Split behind it"


def _unbound(graph: Graph, context: PassContext) -> Iterator[Refusal]:
    """Of products with weights whose numbers are not known: by now, or before the graph runs."""
    found: dict[Hashable, list[Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, MatMul | Gemm) and _array(node.inputs[1]) is None:
            x, w = node.operands[:2]
            if w.rank == 2:
                inner = w.shape[1 if isinstance(node.op, Gemm) and node.op.transB else 0]
                found.setdefault((x, _kind(node), inner), []).append(node)
    facts = Facts(graph, context)
    for nodes in found.values():
        if len(nodes) < 2:
            continue
        known = facts.known_at_first
        if known.issuperset(v for node in nodes for v in node.operands[1:]):
            additions = filter(None, (_addition(graph, node) for node in nodes))
            added = [add for add, vector in additions if vector in known]
            before, after = len(nodes) + len(added), 3 if added else 2
            reason = _why_not(len(nodes), before, after)
            if after < before:
                reason += ", once the numbers of the weights are known"
            elif isinstance(nodes[0].op, Gemm):
                continue  # it may have been a MatMul and an Add, of which that is not true
        else:
            reason = f"{len(nodes)} products of one tensor, with weights that are computed"
        yield from (Refusal(_RULE, node, reason) for node in nodes)


def _kind(node: Node) -> Hashable:
    return dataclasses.replace(node.op, transB=0) if isinstance(node.op, Gemm) else MatMul()


def _count_merged(group: Sequence[Unit]) -> int:
    """How many nodes the units are as one: the product, an addition, the Split."""
    adds = isinstance(group[0].nodes[0].op, MatMul) and any(u.bias is not None for u in group)
    return 3 if adds else 2


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
    addition = _addition(graph, node)
    if addition is not None:
        add, other = addition
        bias = _array(other)
        if bias is not None:
            return Unit((node, add), weights, _wide(bias, weights))
    return Unit((node,), weights, None)


def _addition(graph: Graph, node: Node) -> tuple[Node, Value] | None:
    """The Add of a vector that alone reads a MatMul's result, and the vector."""
    product = node.outputs[0]
    readers = graph.uses.get(product, ())
    if graph.use_count(product) != 1 or not readers or not isinstance(readers[0].op, Add):
        return None
    (other,) = (v for v in readers[0].operands if v is not product)
    same = other.rank == 1 and same_type(readers[0].outputs[0], product)
    return (readers[0], other) if same else None


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
