"""Layers of models whose parameters have names that no block gives: `conv1_weights`,
`dense/MatMul/ReadVariableOp:0`, `427`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.naming import Names, module_path
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.elementwise import Add
from nncomp.ops.indexing import Gather
from nncomp.ops.linear import MatMul
from nncomp.ops.normalization import LayerNormalization, RMSNormalization
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.shape import Transpose

_NAMES = {
    Conv: "conv",
    ConvTranspose: "conv_transpose",
    MatMul: "linear",
    Gather: "embedding",
    BatchNormalization: "norm",
    LayerNormalization: "norm",
    RMSNormalization: "norm",
}
# what TensorFlow adds to the name of a layer, and the parts of names that say which parameter it is
_OPERATOR = re.compile(
    r"(?i)read_?variable_?op|resource|mat_?mul|bias_?add.*|tensordot|(depthwise_?)?conv\dd?"
    r"|embedding_lookup|(reshape|transpose)(_\d+)?|\d+"
)
_ROLE = re.compile(
    r"(?i)(^|_)(weights?|w|(depthwise_)?kernel|bias(es)?|b|scale|offset|(moving_)?(mean|var(iance)?)"
    r"|gamma|beta)$"
)
_SERIAL = re.compile(r"_?[a-z]{1,3}_?\d+")  # `v37`, `_v_680`: numbered by an exporter


def with_layers(
    graph: Graph, scopes: Mapping[Node, str]
) -> tuple[dict[Node, str], Collection[str]]:
    """The blocks of nodes, with one for each of what may be a layer of the library: an operator
    that alone reads parameters of which no name says where they belong. And the paths of these."""
    found = dict(scopes)
    uses = graph.uses
    unnamed = {
        p.value: p.path
        for p in graph.parameters
        if module_path(p.path) is None and len(uses.get(p.value, ())) == 1
    }
    layers: dict[str, list[tuple[list[Node], list[Value]]]] = {}
    for node in graph.nodes:
        if type(node.op) not in _NAMES or node not in scopes:
            continue
        nodes = _layer(node, graph)
        own = [v for n in nodes for v in n.operands if v in unnamed]
        inside = {v for n in nodes for v in n.outputs}
        given = {v for n in nodes for v in n.operands} - {*own} - inside
        if own and len(given) == 1 and len({scopes.get(n) for n in nodes}) == 1:
            layers.setdefault(scopes[node], []).append((nodes, own))
    theirs = {v for some in layers.values() for _, own in some for v in own}
    taken = (*scopes.values(), *(p.path for p in graph.parameters if p.value not in theirs))
    parts = {part for path in taken for part in path.split(".")}
    guessed = set()
    for around, some in layers.items():
        if around and len(some) == 1:
            continue  # the block around it is the layer
        names = Names(parts)
        for nodes, own in some:
            kind = next(_NAMES[type(n.op)] for n in nodes if type(n.op) in _NAMES)
            name = names.fresh(stem_of(unnamed[own[0]]) or kind)
            path = f"{around}.{name}" if around else name
            guessed.add(path)
            found |= dict.fromkeys(nodes, path)
    return found, guessed


def _layer(node: Node, graph: Graph) -> list[Node]:
    """The operators of a layer of which the node is the main one."""
    if not isinstance(node.op, MatMul):
        return [node]
    nodes = [node]
    turned = node.operands[1].node
    if turned is not None and isinstance(turned.op, Transpose):
        nodes.insert(0, turned)
    readers = graph.uses.get(node.outputs[0], ())
    if len(readers) == 1 and isinstance(readers[0].op, Add):
        other = [v for v in readers[0].operands if v is not node.outputs[0]]
        if len(other) == 1 and other[0].rank == 1 and other[0].node is None:
            nodes.append(readers[0])
    return nodes


def stem_of(name: str) -> str:
    """What a layer may be called by the name of a parameter; "" if that tells nothing."""
    parts = re.split(r"[/.]", name.rpartition(";")[2].partition(":")[0])
    while parts and _OPERATOR.fullmatch(parts[-1]):
        parts.pop()
    last = parts[-1] if parts else ""
    stem = _ROLE.sub("", last) or "".join(parts[-2:-1])
    if not stem.isascii() or not stem.isidentifier() or "::" in name:
        return ""
    return "" if stem == last and _SERIAL.fullmatch(stem) else stem
