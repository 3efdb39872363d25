"""Blocks of a model of which only the names of parameters tell anything: `layers.0.fc.weight`.

A node without parameters stands in the numbered block that it follows, if the next numbered block
comes after it, or if the same operators stood there in the block before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nncomp.ir.graph import Node, Value


def follow_names(
    nodes: Sequence[Node],
    uses: Mapping[Value, tuple[Node, ...]],
    found: dict[Node, str | None],
) -> None:
    """Fills in the blocks of the nodes that have none in `found`."""
    places = {node: place for place, node in enumerate(nodes)}
    behind: dict[Node, str | None] = {}
    for node in reversed(nodes):
        users = [user for v in node.outputs for user in uses.get(v, ()) if user in places]
        first = min(users, key=places.__getitem__, default=None)
        behind[node] = None if first is None else found[first] or behind[first]
    tails: dict[str, list[str]] = {}
    for node in nodes:
        if found[node] is not None:
            continue
        sources = [v.node for v in node.operands if v.node in places]
        last = max(sources, key=places.__getitem__, default=None)
        before, after = found[last] if last is not None else None, behind[node]
        found[node] = _between(before or "", after or "", node.op.name, tails)


def _between(before: str, after: str, operator: str, tails: dict[str, list[str]]) -> str:
    block, number = _numbered(before)
    if not block or after.startswith(f"{block}.") or after == block:
        return common([before, after])
    tail = tails.setdefault(block, [])
    stem = block.rpartition(".")[0]
    earlier = tails.get(_path(stem, number - 1), [])
    same = len(tail) < len(earlier) and earlier[len(tail)] == operator
    if _numbered(after)[0] == _path(stem, number + 1) or same:
        tail.append(operator)
        return block
    return common([before, after])


def _numbered(path: str) -> tuple[str, int]:
    """The innermost numbered block around a path, and its number."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        if parts[end - 1].isdecimal() and len(parts[end - 1]) < 7:
            return ".".join(parts[:end]), int(parts[end - 1])
    return "", 0


def _path(stem: str, number: int) -> str:
    return f"{stem}.{number}" if stem else str(number)


def common(paths: Iterable[str]) -> str:
    """The innermost path around all of these."""
    shared: list[str] | None = None
    for path in paths:
        parts = path.split(".") if path else []
        if shared is None:
            shared = parts
            continue
        same = 0
        while same < min(len(parts), len(shared)) and parts[same] == shared[same]:
            same += 1
        shared = shared[:same]
    return ".".join(shared or [])
