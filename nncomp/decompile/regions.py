"""A graph as a tree of regions: what is going to be a block, and what stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nncomp.ir.graph import Graph, Node, Value


@dataclass(eq=False)
class Region:
    """Nodes that one block computes.

    path: of its instance, "" for the model; name: the same, from the region around it
    items: in an order in which they can be computed
    parameters: that it declares, with their names in it
    inputs, outputs: values that it takes and gives
    """

    path: str
    name: str = ""
    items: list[Node | Region] = field(default_factory=list)
    parameters: dict[Value, str] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    def paths(self, parameters: Mapping[Value, str] | None = None) -> dict[Value, str]:
        """The paths of its parameters; or of these, with their names in it."""
        found = self.parameters if parameters is None else parameters
        around = f"{self.path}." if self.path else ""
        return {value: around + name for value, name in found.items()}

    def nodes(self) -> Iterator[Node]:
        """All nodes in it."""
        for item in self.items:
            if isinstance(item, Region):
                yield from item.nodes()
            else:
                yield item

    def regions(self) -> Iterator[Region]:
        """All regions in it, the innermost first, and itself last."""
        for item in self.items:
            if isinstance(item, Region):
                yield from item.regions()
        yield self


def tree_of(graph: Graph, scopes: Mapping[Node, str], modules: Iterable[str]) -> Region:
    """The regions of a graph, by the block of each node."""
    blocks = _Blocks({*modules, *scopes.values()})
    nodes = [node for node in graph.nodes if node in scopes]
    chains = {node: blocks.chain(scopes[node]) for node in nodes}
    root = _region("", nodes, chains, 0)
    _settle(root, graph)
    return root


class _Blocks:
    """Paths as chains of blocks within each other."""

    def __init__(self, paths: set[str]) -> None:
        self._paths = paths
        self._chains: dict[str, tuple[str, ...]] = {"": ()}

    def chain(self, path: str) -> tuple[str, ...]:
        """The paths of all blocks around a path, and itself."""
        if path not in self._chains:
            parts = path.split(".")
            around = (".".join(parts[:n]) for n in range(1, len(parts)))
            self._chains[path] = (*(p for p in around if p in self._paths), path)
        return self._chains[path]


def _region(
    path: str, nodes: list[Node], chains: Mapping[Node, tuple[str, ...]], depth: int
) -> Region:
    """The region of these nodes, which are in the order of the graph."""
    groups: dict[Node, str] = {}
    for node in nodes:
        if len(chains[node]) > depth:
            groups[node] = chains[node][depth]
    region = Region(path)
    for run in _ordered(nodes, groups):
        inner = groups.get(run[0])
        if inner is None:
            region.items += run
            continue
        child = _region(inner, run, chains, depth + 1)
        region.items.append(child)
    return region


def _ordered(nodes: list[Node], groups: Mapping[Node, str]) -> list[list[Node]]:
    """The nodes in an order in which each group is in one piece; a group for which that cannot be
    in several."""
    pieces = _sorted_pieces(nodes, groups)
    if pieces is not None:
        return pieces
    apart = _entangled(nodes, groups)
    rest = {node: name for node, name in groups.items() if name not in apart}
    numbered = dict(rest)
    last, number = None, 0
    for node in nodes:
        name = groups.get(node)
        if name in apart:
            number += name != last
            numbered[node] = f"{name}#{number}"
        last = name
    pieces = _sorted_pieces(nodes, numbered) or _sorted_pieces(nodes, rest)
    return pieces if pieces is not None else [[node] for node in nodes]


def _sorted_pieces(nodes: list[Node], groups: Mapping[Node, str]) -> list[list[Node]] | None:
    """Groups and single nodes in a valid order, as near to the graph's as can be; None where
    groups need each other."""
    pieces: dict[Node | str, list[Node]] = {}
    for node in nodes:
        pieces.setdefault(groups.get(node, node), []).append(node)
    number_of = {node: n for n, piece in enumerate(pieces.values()) for node in piece}
    needs: list[set[int]] = [set() for _ in pieces]
    for node in nodes:
        above = {number_of[v.node] for v in node.operands if v.node in number_of}
        needs[number_of[node]] |= above - {number_of[node]}
    order = _in_order(needs)
    parts = [*pieces.values()]
    return None if order is None else [parts[number] for number in order]


def _in_order(needs: Sequence[set[int]]) -> list[int] | None:
    """All numbers, each right after what it needs that has not come yet; None where needs go round
    in a circle."""
    order: list[int] = []
    state = [0] * len(needs)  # 1: its needs are being met, 2: placed
    for first in range(len(needs)):
        if state[first]:
            continue
        state[first] = 1
        stack = [(first, iter(sorted(needs[first])))]
        while stack:
            number, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[number] = 2
                order.append(number)
                stack.pop()
            elif state[following] == 1:
                return None
            elif not state[following]:
                state[following] = 1
                stack.append((following, iter(sorted(needs[following]))))
    return order


def _entangled(nodes: list[Node], groups: Mapping[Node, str]) -> set[str]:
    """The groups that lie on a path which leaves them and comes back."""
    found: set[str] = set()
    for name in dict.fromkeys(groups.values()):
        inside = {node for node in nodes if groups.get(node) == name}
        left: set[Node] = set()  # outside, behind a node of the group
        for node in nodes:
            sources = {v.node for v in node.operands if v.node is not None}
            if node in inside:
                if sources & left:
                    found.add(name)
                    break
            elif sources & (left | inside):
                left.add(node)
    return found


def _settle(region: Region, graph: Graph) -> None:
    """Opens the regions that are none of their own, from the innermost out."""
    for item in region.items:
        if isinstance(item, Region):
            _settle(item, graph)
    parameters = {p.value for p in graph.parameters}
    counts: dict[str, int] = {}
    for item in region.items:
        if isinstance(item, Region):
            counts[item.path] = counts.get(item.path, 0) + 1
    items: list[Node | Region] = []
    for item in region.items:
        if isinstance(item, Node) or _is_block(item, parameters, counts[item.path] > 1):
            items.append(item)
        else:
            items += item.items
    region.items = items


def _is_block(region: Region, parameters: set[Value], repeated: bool) -> bool:
    if repeated:
        return False
    has = any(v in parameters for node in region.nodes() for v in node.operands)
    if len(region.items) == 1 and isinstance(region.items[0], Region):
        return False  # it holds nothing but a block, whose path says enough
    takes = any(
        v.node is not None or v not in parameters for node in region.nodes() for v in node.operands
    )
    return takes and (has or len(region.items) > 1)
