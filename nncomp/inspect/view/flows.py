"""Which values run between which parts of an outline, as far as it is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nncomp.inspect.view.outline import Box, Outline, chain, span_of_repeats
from nncomp.ir.graph import Value


@dataclass(eq=False)
class Flow:
    """A value that runs between two parts of one block; None is the block's border."""

    value: Value
    source: Box | None
    target: Box | None


def flows_of(whole: Outline) -> dict[Box, list[Flow]]:
    """For each open block the values that run inside it, each pair of ends once.

    The root's flows also have boxes for the graph's inputs (those of rank 0 are settings, and left
    out) and for its outputs.
    """
    found: dict[Box, dict[tuple[Value, Box | None, Box | None], Flow]] = {}
    root = whole.root

    def add(block: Box, value: Value, source: Box | None, target: Box | None) -> None:
        found.setdefault(block, {}).setdefault((value, source, target), Flow(value, source, target))

    def run(value: Value, source: list[Box], target: list[Box]) -> None:
        common = 0
        while common < min(len(source), len(target)) and source[common] is target[common]:
            common += 1
        if common == len(source) or common == len(target):
            return  # both ends in one closed box
        outer = source[common - 1] if common else root
        for i in range(len(source) - 1, common, -1):
            add(source[i - 1], value, source[i], None)
        add(outer, value, source[common], target[common])
        for i in range(common, len(target) - 1):
            add(target[i], value, None, target[i + 1])

    for value, source, target in runs_of(whole):
        run(value, source, target)
    return {block: list(flows.values()) for block, flows in found.items()}


def runs_of(whole: Outline) -> Iterator[tuple[Value, list[Box], list[Box]]]:
    """Each value that is read, with the drawn boxes around where it comes from and where it is
    read, outermost first. The graph's inputs and outputs are boxes of their own (`first` is -1)."""
    graph, root = whole.graph, whole.root
    stand_in = _StandIns(whole)
    inputs = {v: Box(name=v.name, first=-1) for v in graph.inputs if v.rank}
    for number, node in enumerate(whole.nodes):
        if not stand_in.is_first(number):
            continue
        here = chain(root, number)
        for value in dict.fromkeys(node.operands):
            if value in inputs:
                yield value, [inputs[value]], here
            elif value.node in whole.position:
                source = stand_in.of(whole.position[value.node])
                shown = whole.nodes[source].outputs[value.index]
                yield shown, chain(root, source), here
    for name, value in graph.outputs.items():
        end = Box(name=name, first=-1)
        if value in inputs:
            yield value, [inputs[value]], [end]
        elif value.node in whole.position:
            source = stand_in.of(whole.position[value.node])
            shown = whole.nodes[source].outputs[value.index]
            yield shown, chain(root, source), [end]


class _StandIns:
    """Which node of the first of some repeated blocks stands for a node of a later one."""

    def __init__(self, whole: Outline) -> None:
        self._of = list(range(len(whole.nodes)))
        pending = [whole.root]
        while pending:
            box = pending.pop()
            pending.extend(box.children)
            if box.repeats > 1:
                for number in range(box.last + 1, span_of_repeats(box) + 1):
                    self._of[number] = box.first + (number - box.first) % box.size

    def of(self, number: int) -> int:
        # repeats may stand inside repeats: the outer ones were entered first
        while self._of[number] != number:
            number = self._of[number]
        return number

    def is_first(self, number: int) -> bool:
        return self._of[number] == number
