"""Which block each node belongs to.

What the exporter says of a node comes first; the name of the parameter that a node reads is better
still, since exporters move operators from one module to the next (`conv.weight` stays
`conv.weight`). A node of which nothing is said stands with its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from nncomp.decompile.named_scopes import common, follow_names
from nncomp.decompile.plain import dim_as_number
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.naming import module_path


def scopes_of(graph: Graph, modules: Collection[str]) -> dict[Node, str]:
    """The path of the innermost block around each node that computes something.

    modules: paths that the exporter says are blocks
    """
    nodes = [node for node in graph.nodes if not is_literal(node)]
    uses = graph.uses
    paths = {p.value: p.path for p in graph.parameters}
    found: dict[Node, str | None] = {}
    for node in nodes:
        if node.op.bodies:  # written in the model, where all sizes have names
            found[node] = ""
            continue
        said = node.origin.scope or None
        own = {
            prefix
            for value in node.operands
            if value in paths and len(uses[value]) == 1
            if (prefix := module_path(paths[value])) is not None
        }
        if len(own) == 1:
            (prefix,) = own
            if said is None or not _is_within(said, prefix):
                said = prefix
        found[node] = said
    if any(node.origin.scope for node in nodes):
        _follow_neighbours(nodes, uses, found)
    else:
        follow_names(nodes, uses, found)
    scopes = {node: path or "" for node, path in found.items()}
    _lift_shared(nodes, uses, {p.value for p in graph.parameters}, scopes)
    return scopes


def is_literal(node: Node) -> bool:
    """Whether a node is written where it is read: a constant, dims, a dim as a number."""
    return isinstance(node.op, Constant | Dims) or dim_as_number(node.outputs[0]) is not None


def _is_within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}.")


def _follow_neighbours(
    nodes: Sequence[Node],
    uses: Mapping[Value, tuple[Node, ...]],
    found: dict[Node, str | None],
) -> None:
    """A node without a block gets what those before and behind it have in common."""
    if all(path is None for path in found.values()):
        return
    before: dict[Node, str | None] = {}
    for node in nodes:
        sources = (v.node for v in node.operands)
        known = [before[n] if found[n] is None else found[n] for n in sources if n in found]
        before[node] = next((path for path in reversed(known) if path is not None), None)
    behind: dict[Node, str | None] = {}
    for node in reversed(nodes):
        users = [user for v in node.outputs for user in uses.get(v, ())]
        paths = [behind[n] if found[n] is None else found[n] for n in users if n in found]
        common_ = [path for path in paths if path is not None]
        behind[node] = common(common_) if common_ else None
    for node in nodes:
        if found[node] is None:
            around = [p for p in (before[node], behind[node]) if p is not None]
            found[node] = common(around) if len(around) == 2 else ""


def _lift_shared(
    nodes: Sequence[Node],
    uses: Mapping[Value, tuple[Node, ...]],
    parameters: Collection[Value],
    scopes: dict[Node, str],
) -> None:
    """An exporter computes once what several layers would (a mask in its additive form), where the
    first of them stands. What is read elsewhere, and needs nothing of its block, belongs around."""
    for node in reversed(nodes):
        users = [user for v in node.outputs for user in uses.get(v, ())]
        target = common([scopes[user] for user in users if user in scopes] or [scopes[node]])
        if target == scopes[node] or not _is_inside(scopes[node], target):
            continue
        needed = _needed(node, target, scopes)
        if needed is None or any(v in parameters for n in needed for v in n.operands):
            continue
        for inner in needed:
            scopes[inner] = target


_MOST = 8  # nodes that one value may bring along


def _needed(node: Node, target: str, scopes: Mapping[Node, str]) -> list[Node] | None:
    """The node and all that it needs of blocks within the target; None if that is much."""
    found = [node]
    for inner in found:
        for value in inner.operands:
            source = value.node
            if source is None or source not in scopes or source in found:
                continue
            if scopes[source] != target and _is_inside(scopes[source], target):
                found.append(source)
        if len(found) > _MOST:
            return None
    return found


def _is_inside(path: str, around: str) -> bool:
    return not around or _is_within(path, around)
