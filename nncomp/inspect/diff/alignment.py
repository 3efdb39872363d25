"""Sequences side by side: the longest common subsequence, and what stands between anchors."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence

MAX_EDITS = 400
"""Insertions and removals up to which a subsequence is the longest one; beyond, a long one."""

Pairs = list[tuple[int, int]]


def common(a: Sequence[Hashable], b: Sequence[Hashable]) -> Pairs:
    """Positions of a common subsequence; the longest (Myers, 1986) if few elements are not in it,
    in time proportional to length × MAX_EDITS."""
    first = 0
    while first < min(len(a), len(b)) and a[first] == b[first]:
        first += 1
    last = 0
    while last < min(len(a), len(b)) - first and a[-1 - last] == b[-1 - last]:
        last += 1
    head: Pairs = [(i, i) for i in range(first)]
    inner = _myers(a[first : len(a) - last], b[first : len(b) - last])
    tail: Pairs = [(len(a) - i, len(b) - i) for i in range(last, 0, -1)]
    return head + [(i + first, j + first) for i, j in inner] + tail


def _myers(a: Sequence[Hashable], b: Sequence[Hashable]) -> Pairs:
    if not a or not b:
        return []
    furthest = {1: 0}
    steps: list[dict[int, int]] = []
    for edits in range(min(len(a) + len(b), MAX_EDITS) + 1):
        steps.append(dict(furthest))
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and furthest.get(k - 1, -1) < furthest.get(k + 1, -1))
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            furthest[k] = x
            if x >= len(a) and x - k >= len(b):
                return _walked_back(a, b, steps)
    return _in_order(a, b)


def _walked_back(
    a: Sequence[Hashable], b: Sequence[Hashable], steps: list[dict[int, int]]
) -> Pairs:
    x, y = len(a), len(b)
    pairs: Pairs = []
    for edits in reversed(range(len(steps))):
        furthest, k = steps[edits], x - y
        down = k == -edits or (k != edits and furthest.get(k - 1, -1) < furthest.get(k + 1, -1))
        before = k + 1 if down else k - 1
        start = furthest[before]
        while x > start and y > start - before and x and y and a[x - 1] == b[y - 1]:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = start, start - before
    return pairs[::-1]


def _in_order(a: Sequence[Hashable], b: Sequence[Hashable]) -> Pairs:
    """The first of a kind with the first, the second with the second; of these, the most that do
    not cross."""
    places: dict[Hashable, list[int]] = {}
    for j in reversed(range(len(b))):
        places.setdefault(b[j], []).append(j)
    pairs = [(i, places[key].pop()) for i, key in enumerate(a) if places.get(key)]
    return [pairs[i] for i in increasing([j for _, j in pairs])]


def increasing(numbers: Sequence[int]) -> list[int]:
    """Positions of a longest increasing subsequence, in n · log(n)."""
    ends: list[int] = []  # the least last number of each length, and where it stands
    places: list[int] = []
    before: list[int] = []
    for place, number in enumerate(numbers):
        length = bisect_left(ends, number)
        before.append(places[length - 1] if length else -1)
        ends[length : length + 1] = [number]
        places[length : length + 1] = [place]
    found = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]


def gaps(pairs: Pairs, a: Sequence[int], b: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Between pairs that do not cross, in order: the numbers of `a` and `b` (both ascending)."""
    i = j = 0
    for left, right in [*pairs, (_END, _END)]:
        from_a, from_b = i, j
        while i < len(a) and a[i] < left:
            i += 1
        while j < len(b) and b[j] < right:
            j += 1
        if i > from_a and j > from_b:
            yield list(a[from_a:i]), list(b[from_b:j])


_END = 1 << 62
