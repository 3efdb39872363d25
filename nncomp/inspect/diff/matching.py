"""Which node of one model is which of the other.

In the order of how much it proves: nodes that compute the same from the inputs; nodes of which the
same is made; nodes with the same weights; neighbours of such nodes; nodes with the same name that
no neighbour speaks against; and what is left between two nodes that are known, in order. So a layer
that is put in is one that the first model has not, and what stands behind is still itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable

from nncomp.inspect.diff.alignment import common, gaps, increasing
from nncomp.inspect.diff.form import Form, Leaf, Ref, Result
from nncomp.inspect.diff.signs import Signs, kind, leaf_keys, operator_key

NONE = -1
_NUMBER = re.compile(r"\d")


class Matching:
    """The nodes of two forms, matched.

    to_b: of each node of `a` its number in `b`, NONE for one that was removed; to_a: likewise
    forward_a, forward_b: the nodes' forward signs
    """

    def __init__(self, a: Form, b: Form, signs: Signs) -> None:
        self.a, self.b = a, b
        self.to_b = [NONE] * len(a)
        self.to_a = [NONE] * len(b)
        self._fresh: list[int] = []  # matched nodes of a whose neighbours are not looked at yet
        self.forward_a, self.forward_b = signs.forward(a), signs.forward(b)
        self._by_sign(self.forward_a, self.forward_b)
        self._by_sign(signs.backward(a), signs.backward(b))
        self._same_a = [_exact(a, number) for number in range(len(a))]
        self._same_b = [_exact(b, number) for number in range(len(b))]
        self._by_weights()
        self._spread(self._is_same)
        self._by_name(sure=True)
        self._spread(self._is_same)
        self._in_gaps(_exact)
        self._spread(self._is_same)
        self._by_name(sure=False)
        self._spread(self._is_alike)
        for key in (_typed, _plain):
            self._in_gaps(key)
            self._spread(self._is_same)
            self._spread(self._is_alike)
        self._replaced()

    def same(self, left: Ref | None, right: Ref | None) -> bool:
        """Whether what is read on both sides is the same: it is matched, or computes the same."""
        if isinstance(left, Result) and isinstance(right, Result):
            if left.index != right.index:
                return False
            if self.to_b[left.node] == right.node:
                return True
            return self.forward_a[left.node] == self.forward_b[right.node]
        if isinstance(left, Leaf) and isinstance(right, Leaf):
            return left.key == right.key
        return left is None and right is None

    def _match(self, i: int, j: int) -> None:
        self.to_b[i], self.to_a[j] = j, i
        self._fresh.append(i)

    def _free(self, i: int, j: int) -> bool:
        return self.to_b[i] == NONE and self.to_a[j] == NONE

    # --- whole graphs ----------------------------------------------------------------------------

    def _by_sign(self, signs_a: list[int], signs_b: list[int]) -> None:
        """Those with equal signs; of several, those with one name, then in order."""
        groups: dict[int, tuple[list[int], list[int]]] = {}
        for i, sign in enumerate(signs_a):
            if self.to_b[i] == NONE:
                groups.setdefault(sign, ([], []))[0].append(i)
        for j, sign in enumerate(signs_b):
            if self.to_a[j] == NONE and sign in groups:
                groups[sign][1].append(j)
        for left, right in groups.values():
            self._pair(left, right)

    def _pair(self, left: list[int], right: list[int]) -> None:
        if len(left) > 1 or len(right) > 1:
            names = {_name(self.b, j): j for j in reversed(right)}
            for i in left:
                j = names.get(_name(self.a, i), NONE)
                if j != NONE and self._free(i, j):
                    self._match(i, j)
        free_left = [i for i in left if self.to_b[i] == NONE]
        free_right = [j for j in right if self.to_a[j] == NONE]
        for i, j in zip(free_left, free_right, strict=False):
            self._match(i, j)

    def _unmatched(self) -> tuple[list[int], list[int]]:
        left = [i for i, j in enumerate(self.to_b) if j == NONE]
        right = [j for j, i in enumerate(self.to_a) if i == NONE]
        return left, right

    def _by_weights(self) -> None:
        """Those of one operator that alone read the same weights."""
        left, right = self._unmatched()
        mine, theirs = _single(self.a, left, _weights), _single(self.b, right, _weights)
        for key, i in mine.items():
            if key in theirs:
                self._match(i, theirs[key])

    def _by_name(self, *, sure: bool) -> None:
        """Those of one operator with one block and name, unless their neighbours are others.

        sure: only if a neighbour is the same, or the name has no number that may count what
            stands before
        """
        left, right = self._unmatched()
        mine, theirs = _single(self.a, left, _named), _single(self.b, right, _named)
        for key, i in mine.items():
            j = theirs.get(key, NONE)
            if j != NONE:
                votes = self._votes(i, j)
                if any(votes) or (not votes and not (sure and _NUMBER.search(str(key[1:])))):
                    self._match(i, j)

    def _votes(self, i: int, j: int) -> list[bool]:
        """Of each neighbour that has been matched whether it is the same."""
        votes = [
            self.same(left, right)
            for left, right in zip(self.a.operands[i], self.b.operands[j], strict=False)
            if isinstance(left, Result) and self.to_b[left.node] != NONE
        ]
        readers = {use.node for use in self.b.uses[j]}
        votes += [
            self.to_b[use.node] in readers for use in self.a.uses[i] if self.to_b[use.node] != NONE
        ]
        return votes

    # --- neighbours ------------------------------------------------------------------------------

    def _spread(self, fits: Callable[[int, int], bool]) -> None:
        """From all matched nodes to what they read and what reads them."""
        self._fresh = [i for i, j in enumerate(self.to_b) if j != NONE]
        while self._fresh:
            i = self._fresh.pop()
            j = self.to_b[i]
            for left, right in zip(self.a.operands[i], self.b.operands[j], strict=False):
                if isinstance(left, Result) and isinstance(right, Result):
                    free = left.index == right.index and self._free(left.node, right.node)
                    if free and fits(left.node, right.node):
                        self._match(left.node, right.node)
            mine, theirs = _readers(self.a, i, self.to_b), _readers(self.b, j, self.to_a)
            for place, user in mine.items():
                other = theirs.get(place, NONE)
                if user >= 0 and other >= 0 and self._free(user, other) and fits(user, other):
                    self._match(user, other)

    def _is_same(self, i: int, j: int) -> bool:
        return self._same_a[i] == self._same_b[j]

    def _is_alike(self, i: int, j: int) -> bool:
        return kind(self.a.nodes[i]) == kind(self.b.nodes[j])

    def _replaced(self) -> None:
        """Other operators between the same neighbours."""
        left, _ = self._unmatched()
        for i in left:
            for use in self.a.uses[i]:
                user = self.to_b[use.node]
                ref = self.b.operands[user][use.place : use.place + 1] if user != NONE else ()
                if use.place < 0 or not ref or not isinstance(ref[0], Result):
                    continue
                j = ref[0].node
                if self._free(i, j) and self._reads_the_same(i, j):
                    self._match(i, j)

    def _reads_the_same(self, i: int, j: int) -> bool:
        mine, theirs = self.a.operands[i][:1], self.b.operands[j][:1]
        return bool(mine and theirs and mine[0] and self.same(mine[0], theirs[0]))

    # --- what is left ----------------------------------------------------------------------------

    def _in_gaps(self, key: Callable[[Form, int], Hashable]) -> None:
        """Between matched nodes that do not cross, the common subsequence of what is left."""
        left, right = self._unmatched()
        if not left or not right:
            return
        pairs = [(i, j) for i, j in enumerate(self.to_b) if j != NONE]
        anchors = [pairs[place] for place in increasing([j for _, j in pairs])]
        for mine, theirs in gaps(anchors, left, right):
            keys_a = [key(self.a, i) for i in mine]
            keys_b = [key(self.b, j) for j in theirs]
            for x, y in common(keys_a, keys_b):
                self._match(mine[x], theirs[y])


def _readers(form: Form, number: int, matched: list[int]) -> dict[Hashable, int]:
    """The nodes that are not matched yet and alone read a result at a place, by that."""
    found: dict[Hashable, int] = {}
    for use in form.uses[number]:
        if matched[use.node] == NONE:
            key = (use.index, use.place, kind(form.nodes[use.node]))
            found[key] = use.node if found.get(key, use.node) == use.node else -2
    return found


def _single(
    form: Form, numbers: Iterable[int], key: Callable[[Form, int], tuple[Hashable, ...] | None]
) -> dict[tuple[Hashable, ...], int]:
    """The nodes by their keys, where a key stands for one."""
    found: dict[tuple[Hashable, ...], int] = {}
    twice: set[Hashable] = set()
    for number in numbers:
        made = key(form, number)
        if made is not None:
            if made in found:
                twice.add(made)
            found[made] = number
    return {made: number for made, number in found.items() if made not in twice}


def _exact(form: Form, number: int) -> Hashable:
    """Operator, attributes, and all that is no node's result."""
    return (operator_key(form.nodes[number].op), leaf_keys(form, number))


def _typed(form: Form, number: int) -> Hashable:
    node = form.nodes[number]
    return (kind(node), tuple((v.type.dtype, v.rank) for v in node.outputs), _count(form, number))


def _plain(form: Form, number: int) -> Hashable:
    return kind(form.nodes[number])


def _count(form: Form, number: int) -> int:
    return sum(isinstance(ref, Result) for ref in form.operands[number])


def _weights(form: Form, number: int) -> tuple[Hashable, ...] | None:
    named = tuple(
        (place, ref.key)
        for place, ref in enumerate(form.operands[number])
        if isinstance(ref, Leaf) and isinstance(ref.key, tuple) and ref.key[0] == "weight"
    )
    return (kind(form.nodes[number]), named) if named else None


def _name(form: Form, number: int) -> Hashable:
    return (form.nodes[number].origin.scope, form.names[number])


def _named(form: Form, number: int) -> tuple[Hashable, ...] | None:
    scope, name = form.nodes[number].origin.scope, form.names[number]
    return (kind(form.nodes[number]), scope, name) if scope or name else None
