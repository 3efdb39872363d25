"""A story as the page reads it: columns of numbers, and each text once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from nncomp.inspect.cost import VIEWS, Measure, parameters_owned
from nncomp.inspect.opened import Given
from nncomp.inspect.page.sources import Sources
from nncomp.inspect.page.story import Snapshot, Story
from nncomp.inspect.view.captions import chips, detail
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Node, Value
from nncomp.ir.literals import attribute_text
from nncomp.source import Span

HIDDEN, VIEW, ONCE, GIVEN = 1, 2, 4, 8
"""Flags of a node: it is not drawn; its results share the memory of an operand; it is computed
before the first run; it is no node, but a mark of what a body is given."""
_LONGEST = 200  # characters of an attribute
_REFUSALS = 2000


class Strings:
    """Texts by number, each once; the first is the empty one."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {"": 0}
        self.values: list[Any] = [""]

    def __call__(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.values)
            self.values.append(text)
        return number


class Tables:
    """The columns of one model.

    sizes: of symbolic dims, for what things cost
    """

    def __init__(self, story: Story, sources: Sources, sizes: Mapping[str, int]) -> None:
        self.story = story
        self.sources = sources
        self.strings = Strings()
        self._sizes = sizes
        self._measure = Measure(sizes)
        self._types: dict[str, int] = {}
        self._type_bytes: list[int] = []
        self._lists: dict[tuple[int, ...], int] = {(): 0}
        self._values: dict[Value, int] = {}
        self._value_types: list[int] = []
        self._value_names: list[int] = []
        self._results: list[int] = []  # of each node, its first value

    def to_json(self) -> dict[str, Any]:
        story = self.story
        first = story.snapshots[0].graph
        for value in (*first.inputs, *(p.value for p in first.parameters)):
            self._add(value)
        for node in story.nodes:
            self._results.append(len(self._value_types))
            for value in node.outputs:
                self._add(value)
        snapshots = [self._snapshot(i) for i in range(len(story.snapshots))]
        return {
            "name": first.name,
            "inputs": [self._values[v] for v in first.inputs],
            "parameters": [
                [self._values[p.value], self.strings(p.path), self.strings(p.kind)]
                for p in first.parameters
            ],
            "nodes": self._nodes(),
            "places": story.places,
            "snapshots": snapshots,
            "values": {"type": self._value_types, "name": self._value_names},
            "types": [[text, self._type_bytes[i]] for text, i in self._types.items()],
            "lists": [list(key) for key in self._lists],
            "strings": self.strings.values,
        }

    # --- values ----------------------------------------------------------------------------------

    def _add(self, value: Value) -> None:
        self._values[value] = len(self._value_types)
        text = str(value.type)
        if text not in self._types:
            self._types[text] = len(self._types)
            self._type_bytes.append(self._measure.bytes(value))
        self._value_types.append(self._types[text])
        self._value_names.append(self.strings(value.name))

    def _value(self, value: Value | None, numbers: Mapping[Node, int]) -> int:
        if value is None:
            return -1
        known = self._values.get(value)
        if known is None:  # of a node that got other operands
            assert value.node is not None
            known = self._values[value] = self._results[numbers[value.node]] + value.index
        return known

    # --- nodes -----------------------------------------------------------------------------------

    def _nodes(self) -> dict[str, list[int]]:
        story = self.story
        costs = [s.opened.costs(self._sizes) for s in story.snapshots]
        owned: dict[Node, int] = {}
        for snapshot in reversed(story.snapshots):  # of a node that stays, as it was first
            graph = snapshot.graph
            numbered = zip(graph.nodes, snapshot.numbers, strict=True)
            drawn = [node for node, number in numbered if story.visible[number]]
            own = parameters_owned(graph, drawn, self._measure)
            owned.update(zip(drawn, own, strict=True))
        spans = self._spans()
        columns: dict[str, list[int]] = {
            name: []
            for name in (
                *("op", "chips", "detail", "attributes", "scope", "spans", "history", "result"),
                *("place", "flags", "flops", "read", "written", "parameters", "owned"),
            )
        }
        for number, node in enumerate(story.nodes):
            spent = costs[story.first[number]][node]
            flags = 0 if story.visible[number] else HIDDEN
            flags |= VIEW if node.op.name in VIEWS else 0
            flags |= GIVEN if isinstance(node.op, Given) else 0
            row = {
                "op": self.strings(node.op.name),
                "chips": self.strings("|".join(f"{c.text}:{c.family}" for c in chips(node))),
                "detail": self.strings(detail(node)),
                "attributes": self._attributes(node),
                "scope": self.strings(node.origin.scope),
                "spans": spans[number],
                "history": self._list([self.strings(str(r)) for r in node.origin.history]),
                "result": self._results[number],
                "place": story.place[number],
                "flags": flags | (ONCE if spent.once else 0),
                "flops": spent.flops,
                "read": spent.read,
                "written": spent.written,
                "parameters": spent.parameters,
                "owned": owned.get(node, 0),
            }
            for name, cell in row.items():
                columns[name].append(cell)
        return columns

    def _attributes(self, node: Node) -> int:
        if isinstance(node.op, Constant):
            array = node.op.value.array
            text = f"value={array.tolist()}" if array.size <= 8 else f"{array.dtype}{array.shape}"
            return self._list([self.strings(text)])
        found = []
        for name, value in node.op.attributes().items():
            if value in node.op.bodies:
                continue
            text = f"{name}={attribute_text(value)}"
            found.append(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
        return self._list([self.strings(text) for text in found])

    def _spans(self) -> list[int]:
        """Of each node its spans; of a constant, which many may share, those of its readers."""
        story, found = self.story, [0] * len(self.story.nodes)
        readers: dict[int, dict[Span, None]] = {}
        for number, node in enumerate(story.nodes):
            if node.origin.spans:
                found[number] = self.sources.spans(node.origin)
        for snapshot in story.snapshots:
            numbers = dict(zip(snapshot.graph.nodes, snapshot.numbers, strict=True))
            for node in reversed(snapshot.graph.nodes):
                own = node.origin.spans or tuple(readers.get(numbers[node], ()))
                for value in node.operands:
                    if value.node is not None and not value.node.origin.spans:
                        of = readers.setdefault(numbers[value.node], {})
                        of.update(dict.fromkeys(own[:4]))
        for number, spans in readers.items():
            found[number] = self.sources.list(list(spans)[:8])
        return found

    def _list(self, numbers: Sequence[int]) -> int:
        return self._lists.setdefault(tuple(numbers), len(self._lists))

    # --- snapshots -------------------------------------------------------------------------------

    def _snapshot(self, index: int) -> dict[str, Any]:
        snapshot = self.story.snapshots[index]
        graph = snapshot.graph
        numbers = dict(zip(graph.nodes, snapshot.numbers, strict=True))
        before: dict[int, Node] = {}
        if index:
            last = self.story.snapshots[index - 1]
            before = dict(zip(last.numbers, last.graph.nodes, strict=True))
        inputs: list[int | list[int]] = []
        for node, number in numbers.items():
            if before.get(number) is not node:
                inputs += (number, [self._value(v, numbers) for v in node.inputs])
        outputs = [[name, self._value(v, numbers)] for name, v in graph.outputs.items()]
        updates = [[path, self._value(v, numbers)] for path, v in graph.updates.items()]
        return {
            "order": _runs(snapshot.numbers),
            "inputs": inputs,
            "outputs": outputs,
            "updates": updates,
            **self._pass(snapshot),
        }

    def _pass(self, snapshot: Snapshot) -> dict[str, Any]:
        record = snapshot.record
        if record is None:
            return {"pass": "", "rules": [], "steps": [], "unread": [], "refusals": []}
        numbers, refusals = snapshot.by_original, []
        for refusal in record.result.refusals[:_REFUSALS]:
            if refusal.node in numbers:
                reason = self.strings(refusal.reason)
                refusals.append([numbers[refusal.node], self.strings(refusal.rule), reason])
        return {
            "pass": record.name,
            "rules": list(record.result.counts.items()),
            "steps": [
                [[self.strings(rule) for rule in step.rules], step.removed, step.made]
                for step in snapshot.steps
            ],
            "unread": snapshot.unread,
            "refusals": refusals,
        }


def _runs(numbers: Iterable[int]) -> list[int]:
    """Runs of numbers that follow each other: first and length of each."""
    found: list[int] = []
    expected = -1
    for number in numbers:
        if number == expected:
            found[-1] += 1
        else:
            found += (number, 1)
        expected = number + 1
    return found
