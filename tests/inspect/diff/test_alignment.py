"""Subsequences: common, ascending, and the longest where that is promised."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nncomp.inspect.diff import alignment
from nncomp.inspect.diff.alignment import common, gaps, increasing

letters = st.lists(st.sampled_from("abc"), max_size=14)


def longest(a: list[str], b: list[str]) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else best
    return table[-1][-1]


def is_common(a: list[str], b: list[str], pairs: alignment.Pairs) -> bool:
    ascending = all(p[0] < q[0] and p[1] < q[1] for p, q in itertools.pairwise(pairs))
    return ascending and all(a[i] == b[j] for i, j in pairs)


@given(letters, letters)
def test_the_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    pairs = common(a, b)
    assert is_common(a, b, pairs)
    assert len(pairs) == longest(a, b)


@given(letters, letters)
def test_a_common_subsequence_where_much_differs(a: list[str], b: list[str]) -> None:
    assert is_common(a, b, alignment._in_order(a, b))


@given(st.permutations(range(9)))
def test_increasing(numbers: list[int]) -> None:
    places = increasing(numbers)
    assert places == sorted(places)
    found = [numbers[place] for place in places]
    assert found == sorted(found)
    ends = [1] * len(numbers)
    for i, n in enumerate(numbers):
        ends[i] = 1 + max((ends[j] for j in range(i) if numbers[j] < n), default=0)
    assert len(found) == max(ends)


def test_gaps() -> None:
    found = list(gaps([(2, 3), (5, 5)], [0, 1, 3, 6], [1, 2, 4, 7, 8]))
    assert found == [([0, 1], [1, 2]), ([3], [4]), ([6], [7, 8])]
    assert list(gaps([], [1], [])) == []
