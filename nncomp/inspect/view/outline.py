"""The outline of a graph: its nodes as a tree of the blocks that they belong to.

Nodes stand in the tree in the graph's order, and a block of the tree is a run of neighbours in
that order. So any cut through the tree is an acyclic graph again; a block whose nodes do not stand
together (an instance applied twice, the forward and the backward half of a training step) appears
once for each run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from nncomp.inspect.cost import known_before_run
from nncomp.inspect.opened import opened
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node

MAX_CHILDREN = 150  # parts of one block that are shown as they are; more are put in bundles
BUNDLES = 30
MAX_UNFRAMED = 2  # nodes of a block that is drawn without a frame


@dataclass(eq=False)
class Box:
    """One node (`node` is set) or a block with its parts.

    path: of the instance, as in parameter paths
    name: what is written on it; for a node, the instance that it alone makes up
    first, last: the nodes inside as numbers in the outline's order
    shape: equal for blocks that compute the same in the same way
    repeats: how many equal blocks, one after the other, this one stands for
    is_open: whether its parts are drawn
    """

    path: str = ""
    name: str = ""
    node: Node | None = None
    children: list[Box] = field(default_factory=list)
    first: int = 0
    last: int = 0
    shape: int = -1
    repeats: int = 1
    is_open: bool = False

    @property
    def size(self) -> int:
        """Nodes inside."""
        return self.last - self.first + 1


@dataclass
class Outline:
    """The tree, and its nodes in order. What is hidden (constants, parameters, what is computed
    from them, shape arithmetic) has no box.

    graph: with its bodies laid open
    """

    graph: Graph
    root: Box
    nodes: list[Node]
    position: dict[Node, int]


def outline(graph: Graph) -> Outline:
    """The tree of a graph, all closed, repeats found; bodies of control flow are blocks."""
    graph = opened(graph).graph
    nodes = visible_nodes(graph)
    root = _tree(nodes)
    root.name = graph.name
    position = {node: i for i, node in enumerate(nodes)}
    result = Outline(graph, root, nodes, position)
    for box in reversed(_all(root)):
        box.children = [_without_shell(child) for child in box.children]
        if len(box.children) > MAX_CHILDREN:
            box.children = _bundles(box.children)
    _Equality(result).mark()
    for box in _all(root):
        _merge_repeats(box, result)
    for box in reversed(_all(root)):
        box.children = [part for child in box.children for part in _without_frame(child)]
    return result


def visible_nodes(graph: Graph) -> list[Node]:
    """What has a box: no constants, and nothing that is computed from parameters alone or is
    arithmetic of sizes."""
    known = known_before_run(graph)
    found = []
    for node in graph.nodes:
        if isinstance(node.op, Constant | Dims):
            continue
        if all(v in known or v.type.elements is not None for v in node.outputs):
            continue
        found.append(node)
    return found


def _all(root: Box) -> list[Box]:
    """Every box, each before its children."""
    found, pending = [], [root]
    while pending:
        box = pending.pop()
        found.append(box)
        pending.extend(reversed(box.children))
    return found


def _tree(nodes: Sequence[Node]) -> Box:
    root = Box(first=0, last=len(nodes) - 1)
    stack, names = [root], [""]  # the blocks around the last node, and their names
    for number, node in enumerate(nodes):
        parts = node.origin.scope.split(".") if node.origin.scope else []
        common = 0
        while common < min(len(parts), len(stack) - 1) and names[common + 1] == parts[common]:
            common += 1
        del stack[common + 1 :], names[common + 1 :]
        for depth in range(common, len(parts)):
            path = ".".join(parts[: depth + 1])
            block = Box(path=path, name=parts[depth], first=number)
            stack[-1].children.append(block)
            stack.append(block)
            names.append(parts[depth])
        stack[-1].children.append(Box(path=node.origin.scope, node=node, first=number, last=number))
        for block in stack:
            block.last = number
    return root


def _without_shell(box: Box) -> Box:
    """A block with one part is drawn as that part, under both names."""
    while len(box.children) == 1:
        (child,) = box.children
        child.name = f"{box.name}.{child.name}" if child.name else box.name
        child.path = child.path or box.path
        box = child
    return box


def _without_frame(box: Box) -> list[Box]:
    """A block of few nodes (a convolution and its batch normalization) needs no frame of its own:
    its nodes say where they belong."""
    is_small = len(box.children) <= MAX_UNFRAMED and all(c.node for c in box.children)
    if box.node is not None or box.repeats > 1 or not is_small:
        return [box]
    for child in box.children:
        child.name = f"{box.name}.{child.name}" if child.name else box.name
    return box.children


def _bundles(children: list[Box]) -> list[Box]:
    per = math.ceil(len(children) / BUNDLES)
    bundles = []
    for start in range(0, len(children), per):
        part = children[start : start + per]
        first, last = part[0].first, part[-1].last
        name = f"nodes {first + 1}–{last + 1}"
        bundles.append(Box(part[0].path, name, children=part, first=first, last=last))
    return bundles


class _Equality:
    """Gives equal blocks equal numbers, from the inside out. Linear in nodes and operands."""

    def __init__(self, whole: Outline) -> None:
        self._outline = whole
        self._numbers: dict[object, int] = {}

    def mark(self) -> None:
        for box in reversed(_all(self._outline.root)):
            if box.node is not None:
                sources = self._sources(box.node, box.first)
                types = tuple(str(v.type) for v in box.node.outputs)
                box.shape = self._number((box.node.op, types, sources))
            else:
                box.shape = self._number(("block", *(c.shape for c in box.children)))

    def _number(self, key: object) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _sources(self, node: Node, number: int) -> tuple[object, ...]:
        """Operands by how far back they come from; those of no visible node by their type."""
        position = self._outline.position
        return tuple(
            None
            if v is None
            else str(v.type)
            if v.node not in position
            else (number - position[v.node], v.index)
            for v in node.inputs
        )


def _merge_repeats(box: Box, whole: Outline) -> None:
    kept: list[Box] = []
    previous: Box | None = None
    for child in box.children:
        if (
            previous is not None
            and child.node is None
            and child.shape == previous.shape
            and child.path != previous.path
            and _follows(previous, child, whole)
        ):
            kept[-1].repeats += 1
        else:
            kept.append(child)
        previous = child
    box.children = kept


def _follows(before: Box, after: Box, whole: Outline) -> bool:
    """Whether all that is computed in one block is read there or in the next block only."""
    for node in whole.nodes[before.first : before.last + 1]:
        for value in node.outputs:
            if value in whole.graph.result_values:
                return False
            for user in whole.graph.uses.get(value, ()):
                if not before.first <= whole.position.get(user, -1) <= after.last:
                    return False
    return True


def representative(box: Box, number: int) -> int:
    """For a node inside repeated blocks, the node in the first of them that stands for it."""
    return box.first + (number - box.first) % box.size


def span_of_repeats(box: Box) -> int:
    """The last node of the last of the repeated blocks."""
    return box.first + box.size * box.repeats - 1


def open_boxes(root: Box, budget: int, depth: int | None = None) -> None:
    """Opens blocks, level by level.

    depth:  opens all down to that many levels, whatever their number
    budget: else, as long as with a whole level more no more than so many boxes are to be drawn
    """
    root.is_open = True
    level, shown = [root], len(root.children)
    while True:
        blocks = [c for box in level for c in box.children if c.node is None]
        shown += sum(len(block.children) - 1 for block in blocks)
        if depth is not None:
            depth -= 1
        if not blocks or (depth <= 0 if depth is not None else shown > budget):
            return
        for block in blocks:
            block.is_open = True
        level = blocks


def open_like(root: Box, other: Box) -> None:
    """Opens the blocks that are open in another outline, by their paths."""
    paths = {box.path for box in _all(other) if box.is_open}
    root.is_open = True
    pending = [root]
    while pending:
        for child in pending.pop().children:
            if child.node is None and child.path in paths:
                child.is_open = True
                pending.append(child)


def visible_leaves(root: Box) -> list[Box]:
    """The boxes that are drawn closed, in order."""
    found, pending = [], [root]
    while pending:
        box = pending.pop()
        if box.is_open:
            pending.extend(reversed(box.children))
        else:
            found.append(box)
    return found


def chain(root: Box, number: int) -> list[Box]:
    """The drawn boxes around a node, outermost first, the root left out."""
    found, box = [], root
    while box.is_open:
        low, high = 0, len(box.children) - 1
        while low < high:
            middle = (low + high) // 2
            if number <= span_of_repeats(box.children[middle]):
                high = middle
            else:
                low = middle + 1
        box = box.children[low]
        number = representative(box, number)
        found.append(box)
    return found
