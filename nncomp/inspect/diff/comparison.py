"""Two graphs whose nodes are matched: what differs, node by node."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from nncomp.inspect.diff.form import Form, Leaf, Ref, Result
from nncomp.inspect.diff.matching import NONE, Matching
from nncomp.inspect.diff.result import Change, Detail
from nncomp.inspect.diff.signs import Signs, body_form, settings
from nncomp.inspect.diff.symbols import Symbols
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Data, Op
from nncomp.ir.opaque import Opaque

_MOST = 10_000  # nodes that are looked through for one operand
_LISTED = 32  # operands of an added or removed node that are named


class Comparison:
    """Compares two forms.

    weights_a, weights_b: names of weights by their values
    renamed: weights of the first model by names in the second, found beside matched nodes
    """

    def __init__(
        self,
        a: Form,
        b: Form,
        signs: Signs,
        symbols: Symbols,
        weights: tuple[Mapping[Value, str], Mapping[Value, str]] = ({}, {}),
    ) -> None:
        self.a, self.b = a, b
        self.signs, self.symbols = signs, symbols
        self.weights_a, self.weights_b = weights
        self.matching = Matching(a, b, signs)
        self.renamed: dict[str, str] = {}
        self._resized: set[Value] = set()  # of the first model, whose type has changed

    def nodes(self) -> Iterator[Change]:
        """What differs at nodes and in the types of their results, in the order of the first
        model; what was added stands where it stands in the second."""
        added = iter([j for j, i in enumerate(self.matching.to_a) if i == NONE])
        next_added = next(added, len(self.b))
        for i, j in enumerate(self.matching.to_b):
            if j == NONE:
                yield self._alone(self.a, i, "removed")
                continue
            while next_added < j:
                yield self._alone(self.b, next_added, "added")
                next_added = next(added, len(self.b))
            yield from self._both(i, j)
        while next_added < len(self.b):
            yield self._alone(self.b, next_added, "added")
            next_added = next(added, len(self.b))

    def _alone(self, form: Form, number: int, kind: Any) -> Change:
        node = form.nodes[number]
        details = []
        for place, ref in enumerate(form.operands[number][:_LISTED]):
            if ref is not None:
                text = form.text(ref)
                sides = (None, text) if kind == "added" else (text, None)
                details.append(Detail(_operand_name(node, place), *sides))
        return Change(
            "node",
            kind,
            form.paths[number],
            op=_title(node),
            type=str(node.outputs[0].type) if node.outputs else "",
            block=node.origin.scope,
            details=tuple(details),
            nodes=(None, node) if kind == "added" else (node, None),
        )

    def _both(self, i: int, j: int) -> Iterator[Change]:
        left, right = self.a.nodes[i], self.b.nodes[j]
        details = [*_settings(left, right), *self._operands(i, j)]
        inside = list(self._bodies(i, j))
        new_types = [
            (one, other)
            for one, other in zip(left.outputs, right.outputs, strict=False)
            if not self.symbols.same(one.type, other.type)
        ]
        path, new_path = self.a.paths[i], self.b.paths[j]
        change = Change(
            "node",
            "renamed",
            path,
            new_path=new_path if new_path != path else None,
            op=_title(left),
            block=left.origin.scope,
            nodes=(left, right),
        )
        if details:
            follow = [
                Detail("result", str(one.type), str(other.type)) for one, other in new_types[:1]
            ]
            yield replace(change, kind="changed", details=(*details, *follow))
        elif path != new_path and self._names_differ(i, j):
            yield change
        follows = bool(details or inside or self._reads_resized(i, j))
        self._resized.update(one for one, _ in new_types)
        for one, other in new_types:
            detail = Detail("type", str(one.type), str(other.type))
            place = f":{one.index}" if one.index else ""
            yield Change(
                "edge",
                "changed",
                path + place,
                new_path=new_path + place if new_path != path else None,
                details=(detail,),
                follows=follows,
                nodes=(left, right),
            )
        yield from inside

    def _names_differ(self, i: int, j: int) -> bool:
        left, right = self.a.nodes[i], self.b.nodes[j]
        if left.origin.scope != right.origin.scope:
            return True
        gives = any(v in self.a.given for v in left.outputs)
        if gives and any(v in self.b.given for v in right.outputs):
            return False  # outputs are told by themselves
        return self.a.names[i] != self.b.names[j]

    def _reads_resized(self, i: int, j: int) -> bool:
        """Whether the node reads what has another type, or other tensors than before."""
        for ref in (*self.a.operands[i], *self.a.captured[i]):
            if isinstance(ref, Leaf) and ref.value in self._resized:
                return True
            if isinstance(ref, Result):
                if self.matching.to_b[ref.node] == NONE:
                    return True
                if self.a.nodes[ref.node].outputs[ref.index] in self._resized:
                    return True
        refs = (*self.b.operands[j], *self.b.captured[j])
        return any(isinstance(r, Result) and self.matching.to_a[r.node] == NONE for r in refs)

    def resized(self, value: Value) -> None:
        """An input or weight has another type: what follows from it is no change of its own."""
        self._resized.add(value)

    # --- operands --------------------------------------------------------------------------------

    def _operands(self, i: int, j: int) -> Iterator[Detail]:
        node = self.a.nodes[i]
        mine, theirs = self.a.operands[i], self.b.operands[j]
        if len(theirs) > len(mine):
            node = self.b.nodes[j]
        for place in range(max(len(mine), len(theirs))):
            left = mine[place] if place < len(mine) else None
            right = theirs[place] if place < len(theirs) else None
            if not self.is_same(left, right):
                texts = self.a.text(left), self.b.text(right)
                if texts[0] == texts[1]:  # what is long, or has one name in both
                    texts = texts[0], f"another {texts[1]}"
                yield Detail(_operand_name(node, place), *texts)

    def is_same(self, left: Ref | None, right: Ref | None) -> bool:
        """Whether the same is read on both sides, or the change is told elsewhere: at a weight,
        or at a node that was added or removed between."""
        if isinstance(left, Leaf) and isinstance(right, Leaf):
            weight = self._is_same_weight(left, right)
            return left.key == right.key if weight is None else weight
        if self.matching.same(left, right):
            return True
        if left is None or right is None:
            return False
        if isinstance(right, Result) and self.matching.to_a[right.node] == NONE:
            return self._leads_to(self.b, right, left, from_a=False)
        if isinstance(left, Result) and self.matching.to_b[left.node] == NONE:
            return self._leads_to(self.a, left, right, from_a=True)
        return False

    def _is_same_weight(self, left: Leaf, right: Leaf) -> bool | None:
        """A weight that has kept its name, or is found at the same place of the same node; None
        if it is about other things."""
        one, other = self.weights_a.get(left.value), self.weights_b.get(right.value)
        if one is None or other is None:
            return None
        if one == other or self.renamed.get(one) == other:
            return True
        if left.key != right.key:
            return False
        if isinstance(left.key, tuple) and left.key[0] == "weight":  # known by its numbers
            return True
        return self.renamed.setdefault(one, other) == other

    def _leads_to(self, form: Form, start: Result, wanted: Ref, *, from_a: bool) -> bool:
        """Whether nodes that only this model has stand between, or in the place of what the other
        one reads."""
        matched = self.matching.to_b if from_a else self.matching.to_a
        theirs = self.matching.to_a if from_a else self.matching.to_b
        targets = [wanted]
        if isinstance(wanted, Result) and theirs[wanted.node] == NONE:
            targets = list(self._ends(self.b if from_a else self.a, wanted, theirs))
        for end in self._ends(form, start, matched):
            for target in targets:
                pair = (end, target) if from_a else (target, end)
                if self.matching.same(*pair):
                    return True
        return not targets

    def _ends(self, form: Form, start: Result, matched: list[int]) -> Iterator[Ref]:
        """What is read, in the end, by nodes that only one model has."""
        pending, seen = [start.node], {start.node}
        while pending and len(seen) < _MOST:
            for ref in form.operands[pending.pop()]:
                if isinstance(ref, Result) and matched[ref.node] == NONE:
                    if ref.node not in seen:
                        seen.add(ref.node)
                        pending.append(ref.node)
                elif ref is not None:
                    yield ref

    # --- bodies ----------------------------------------------------------------------------------

    def _bodies(self, i: int, j: int) -> Iterator[Change]:
        """What differs in the graphs that an operator of control flow runs."""
        left, right = self.a.nodes[i], self.b.nodes[j]
        pairs = list(zip(left.op.bodies, right.op.bodies, strict=False))
        if not pairs or self.matching.forward_a[i] == self.matching.forward_b[j]:
            return
        mine = [self._token(ref, self.matching.to_b) for ref in self.a.captured[i]]
        theirs = [self._token(ref, None) for ref in self.b.captured[j]]
        for number, (one, other) in enumerate(pairs):
            place = f"body{number + 1}" if len(pairs) > 1 else "body"
            form_a = body_form(self.a, one, mine, f"{self.a.paths[i]}.{place}")
            form_b = body_form(self.b, other, theirs, f"{self.b.paths[j]}.{place}")
            if self.signs.body(form_a) != self.signs.body(form_b):
                inner = Comparison(form_a, form_b, self.signs, self.symbols)
                yield from inner.nodes()
                yield from inner.results(positional=True)

    def _token(self, ref: Ref, to_b: list[int] | None) -> Any:
        """A key of what a body reads of the graph around it, equal for the same."""
        if isinstance(ref, Leaf):
            return ref.key
        if to_b is None:
            return ("node of b", ref.node, ref.index)
        j = to_b[ref.node]
        return ("node of a", ref.node, ref.index) if j == NONE else ("node of b", j, ref.index)

    # --- results ---------------------------------------------------------------------------------

    def results(self, *, positional: bool = False) -> Iterator[Change]:
        """What the graphs give.

        positional: results are known by their place, not their name
        """
        mine, theirs = self.a.results, self.b.results
        if positional:
            pairs = dict(zip(mine, theirs, strict=False))
        else:
            pairs = {name: name for name in mine if name in theirs}
            free = [name for name in theirs if name not in mine]
            for name in mine:
                other = next((o for o in free if self.matching.same(mine[name], theirs[o])), None)
                if name not in theirs and other is not None:
                    pairs[name] = other
                    free.remove(other)
        prefix = self.a.path + "." if self.a.path else ""
        for name, ref in mine.items():
            if name not in pairs:
                yield Change("output", "removed", prefix + name, type=str(self.a.type(ref)))
                continue
            other = pairs[name]
            details = []
            if not self.is_same(ref, theirs[other]):
                details.append(Detail("value", self.a.text(ref), self.b.text(theirs[other])))
            old, new = self.a.type(ref), self.b.type(theirs[other])
            if not positional and not self.symbols.same_as_stated(old, new):
                details.append(Detail("type", str(old), str(new)))
            new_path = prefix + other if other != name and not positional else None
            if details or new_path:
                kind: Any = "changed" if details else "renamed"
                yield Change(
                    "output", kind, prefix + name, new_path=new_path, details=tuple(details)
                )
        for name in theirs.keys() - pairs.values():
            yield Change("output", "added", prefix + name, type=str(self.b.type(theirs[name])))


def _settings(left: Node, right: Node) -> Iterator[Detail]:
    """The operator and its attributes, where they differ."""
    if _title(left) != _title(right):
        yield Detail("operator", _title(left), _title(right))
        return
    mine, theirs = settings(left.op), settings(right.op)
    for name in dict.fromkeys((*mine, *theirs)):
        one, other = mine.get(name), theirs.get(name)
        if one != other and repr(one) != repr(other):  # NaN is not itself
            yield Detail(name, _plain(one), _plain(other))


def _plain(value: Any) -> Any:
    """An attribute as JSON has it."""
    if isinstance(value, Data):
        array = value.array
        return array.tolist() if array.size <= _LISTED else repr(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if isinstance(value, int | str | None) else str(value)


def _title(node: Node) -> str:
    op: Op = node.op
    if isinstance(op, Opaque):
        return op.title
    return f"{op.domain}.{op.name}" if op.domain else op.name


def _operand_name(node: Node, place: int) -> str:
    formal = node.op.operands()
    if not formal:
        return f"operand {place + 1}"
    last = formal[min(place, len(formal) - 1)]
    return f"{last.name}[{place - len(formal) + 1}]" if last.variadic else last.name
