"""Signs of nodes: numbers that are equal where nodes are alike, as far as one side of them goes.

A node's *forward* sign says what it computes from the inputs: it is equal for two nodes exactly if
all that stands before them is. Its *backward* sign says what becomes of its results. They are made
as Merkle's hashes are, from the signs of the neighbours; but for hashes there are numbers that are
handed out, one for each key, so that two that differ are never taken for equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

from nncomp.inspect.diff.form import Form, Leaf, Ref
from nncomp.ir.graph import Body, Node, Value
from nncomp.ir.op import Op
from nncomp.ir.opaque import Opaque


class Signs:
    """Hands out numbers, the same for the same key, to both models."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def sign(self, *key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def forward(self, form: Form) -> list[int]:
        """Of each node what it computes: operator, attributes, and where its operands are from."""
        found: list[int] = []
        for number, node in enumerate(form.nodes):
            operands = tuple(_key(ref, found) for ref in form.operands[number])
            captured = [_key(ref, found) for ref in form.captured[number]]
            bodies = tuple(self.body(body_form(form, body, captured)) for body in node.op.bodies)
            found.append(self.sign("f", operator_key(node.op), operands, bodies))
        return found

    def body(self, form: Form) -> int:
        """What a body computes."""
        signs = self.forward(form)
        return self.sign("body", tuple(_key(ref, signs) for ref in form.results.values()))

    def backward(self, form: Form) -> list[int]:
        """Of each node what becomes of its results, down to the outputs."""
        results: list[list[tuple[int, str]]] = [[] for _ in form.nodes]
        for name, ref in form.results.items():
            if not isinstance(ref, Leaf):
                results[ref.node].append((ref.index, name))
        found = [0] * len(form)
        for number in reversed(range(len(form))):
            uses = tuple(
                sorted((use.index, use.place, found[use.node]) for use in form.uses[number])
            )
            read = leaf_keys(form, number)
            key = operator_key(form.nodes[number].op)
            found[number] = self.sign("b", key, read, uses, tuple(results[number]))
        return found


def _key(ref: Ref | None, signs: list[int]) -> Hashable:
    if ref is None or isinstance(ref, Leaf):
        return ref and ref.key
    return (signs[ref.node], ref.index)


def leaf_keys(form: Form, number: int) -> tuple[Hashable, ...]:
    """What a node reads that no node makes, by place."""
    return tuple(
        (place, ref.key) for place, ref in enumerate(form.operands[number]) if isinstance(ref, Leaf)
    )


def body_form(form: Form, body: Body, captured: list[Hashable], path: str = "") -> Form:
    """A body of a node of the form.

    captured: keys of what it reads of the graph around
    """
    own = len(body.inputs) - body.captures
    leaves: dict[Value, Leaf] = {}
    for number, value in enumerate(body.inputs):
        key = ("argument", number) if number < own else ("outer", captured[number - own])
        leaves[value] = Leaf(key, value.name or f"argument {number + 1}", value)
    return Form(body, leaves.get, form.dim_key, path)


def operator_key(op: Op) -> Hashable:
    """Equal for operators with equal attributes, their bodies left out."""
    return (type(op), *settings(op).items()) if op.bodies or isinstance(op, Opaque) else op


def settings(op: Op) -> dict[str, Any]:
    """The attributes of an operator, defaults too, without graphs."""
    if isinstance(op, Opaque):
        return {"operator": op.title, **dict(op.settings)}
    named = {f.name: getattr(op, f.name) for f in dataclasses.fields(op)}
    return {name: value for name, value in named.items() if not isinstance(value, Body)}


def kind(node: Node) -> Hashable:
    """Equal for nodes of one operator, whatever its attributes."""
    return (type(node.op), node.op.name)
