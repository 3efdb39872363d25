"""A diff as text, line by line: `+` added, `-` removed, `~` changed, `>` renamed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nncomp.inspect.diff.result import Change, Detail, Diff, Kind, Part, Side

if TYPE_CHECKING:
    from rich.console import Console

_MOST = 100  # lines about one part of a model
_WIDTH = 80  # characters of a name, or of a value
_SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}
_STYLES: dict[Kind, str] = {
    "added": "green",
    "removed": "red",
    "changed": "yellow",
    "renamed": "cyan",
}


@dataclass(frozen=True)
class Line:
    """text: without a line end; style: how `rich` is to show it"""

    text: str
    style: str = ""


def print_diff(diff: Diff, console: Console) -> None:
    """Prints the diff; in colours where the console has them."""
    from rich.text import Text

    for line in lines(diff):
        console.print(Text(line.text, style=line.style), soft_wrap=True)


def lines(diff: Diff) -> Iterator[Line]:
    """The whole diff. Names are shown without what a terminal would take for a command."""
    yield Line(f"--- {_side(diff.a)}", "bold")
    yield Line(f"+++ {_side(diff.b)}", "bold")
    if diff.equal:
        compared = "" if diff.same_weights is not None else ", but for weights, not compared"
        yield Line(f"equal{compared}")
        return
    for parts in (("model", "dimension", "input", "output", "obligation"), ("node",), ("edge",)):
        yield from _limited([*_part(diff, parts)])
    yield from _limited([*_part(diff, ("weight",))])
    if diff.same_weights:
        yield Line(f"  {_count(diff.same_weights, 'weight')} the same", "dim")


def _side(side: Side) -> str:
    of = f"{_count(side.nodes, 'node')}, {_count(side.weights, 'weight')}"
    return f"{clean(side.file)} ({clean(side.model)}: {of})"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _limited(found: Sequence[Line]) -> Iterator[Line]:
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield Line(f"  … and {len(found) - _MOST:,} more (--format json lists all)", "dim")


def _part(diff: Diff, parts: Sequence[Part]) -> Iterator[Line]:
    changes = diff.of(*parts)
    if parts == ("edge",):
        yield from _edges(changes)
        return
    renames = [c for c in changes if c.kind == "renamed" and c.part in ("node", "weight")]
    grouped = {id(c) for c in renames}
    for group in _in_blocks([c for c in changes if id(c) not in grouped], diff):
        if len(group) > 1:
            yield _block(group)
        else:
            yield from told(group[0])
    yield from _renamed(renames)


def told(change: Change) -> Iterator[Line]:
    """One change; the first line names it."""
    style = _STYLES[change.kind]
    what = "" if change.part == "node" else f"{change.part} "
    head = f"{_SIGNS[change.kind]} {what}{clean(change.path)}"
    if change.new_path is not None:
        head += f" → {clean(change.new_path)}"
    if change.kind in ("added", "removed"):
        if change.part == "node":
            operands = [d.after if change.kind == "added" else d.before for d in change.details]
            head += f": {clean(change.op)}({', '.join(clean(str(o)) for o in operands)})"
            yield Line(f"{head} -> {clean(change.type)}", style)
        else:
            yield Line(f"{head}: {clean(change.type)}" if change.type else head, style)
        return
    facts = [_detail(detail) for detail in change.details]
    if change.values is not None:
        v = change.values
        facts.append(
            f"values differ by at most {v.absolute:.3g} (relatively {v.relative:.3g}), "
            f"{_percent(v.equal)} are equal"
        )
    if len(facts) <= 1 or sum(map(len, facts)) < _WIDTH:
        yield Line(": ".join([head, *([", ".join(facts)] if facts else [])]), style)
        return
    yield Line(f"{head}:", style)
    yield from (Line(f"    {text}", style) for text in facts)


def _percent(share: float) -> str:
    if 0 < share < 1:  # what is not all and not none is not rounded to it
        share = min(max(share, 0.0001), 0.9999)
    return f"{share * 100:.4g} %"


def _detail(detail: Detail) -> str:
    before, after = detail.before, detail.after
    if _is_uniform(before) and _is_uniform(after) and len(before) == len(after):
        before, after = before[0], after[0]
    return f"{clean(detail.what)} {_value(before)} → {_value(after)}"


def _is_uniform(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(v == value[0] for v in value)


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return clean(f"[{', '.join(map(_value, value))}]")
    return clean(f"{value:g}" if isinstance(value, float) else str(value))


# --- several changes in one line ----------------------------------------------------------------


def _in_blocks(changes: Iterable[Change], diff: Diff) -> Iterator[list[Change]]:
    """Added and removed nodes by the outermost block of which nothing else is there."""
    changes = list(changes)
    if not changes or changes[0].part != "node":
        yield from ([change] for change in changes)
        return
    whole = {kind: _whole_blocks(changes, diff, kind) for kind in ("added", "removed")}
    groups: dict[tuple[str, str], list[Change]] = {}
    for number, change in enumerate(changes):
        block = _outermost(change.block, whole.get(change.kind, {}))
        groups.setdefault((change.kind, block) if block else ("", str(number)), []).append(change)
    yield from groups.values()


def _whole_blocks(changes: Iterable[Change], diff: Diff, kind: str) -> dict[str, int]:
    """Blocks of which all nodes were added (or removed), with how many those are."""
    side = 1 if kind == "added" else 0
    changed = Counter(b for c in changes if c.kind == kind for b in _blocks(c.block))
    there = Counter(
        block
        for pair in diff.pairs
        if (node := pair[side]) is not None
        for block in _blocks(node.origin.scope)
    )
    return {block: count for block, count in changed.items() if count == there[block]}


def _blocks(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]


def _outermost(path: str, blocks: dict[str, int]) -> str:
    return next((block for block in reversed([*_blocks(path)]) if block in blocks), "")


def _block(group: Sequence[Change]) -> Line:
    paths = [[*_blocks(change.block)][::-1] for change in group]
    shared = [p[0] for p in zip(*paths, strict=False) if len(set(p)) == 1]
    operators = Counter(change.op for change in group)
    listed = [f"{clean(op)} ×{n}" if n > 1 else clean(op) for op, n in operators.most_common()]
    first = group[0]
    sign, style = _SIGNS[first.kind], _STYLES[first.kind]
    named = clean(shared[-1] if shared else first.path)
    return Line(f"{sign} {named}: {_count(len(group), 'node')} ({_some(listed)})", style)


def _some(texts: Sequence[str], most: int = 6) -> str:
    return ", ".join([*texts[:most], *(["…"] if len(texts) > most else [])])


def _renamed(changes: Sequence[Change]) -> Iterator[Line]:
    """Renames of blocks, each once; those that only count differently, in one line."""
    groups: dict[tuple[str, str], list[Change]] = {}
    renumbered: list[Change] = []
    for change in changes:
        old, new = _apart(change.path, change.new_path or change.path)
        if _NUMBER.sub("", old) == _NUMBER.sub("", new):
            renumbered.append(change)
        else:
            groups.setdefault((old, new), []).append(change)
    for (old, new), group in groups.items():
        what = f"{group[0].part} " if group[0].part != "node" else ""
        several = f" ({_count(len(group), group[0].part)})" if len(group) > 1 else ""
        yield Line(f"> {what}{clean(old)} → {clean(new)}{several}", _STYLES["renamed"])
    if renumbered:
        first = renumbered[0]
        what = _count(len(renumbered), first.part)
        example = f"{clean(first.path)} → {clean(first.new_path or first.path)}"
        more = ", …" if len(renumbered) > 1 else ""
        yield Line(f"> {what} numbered anew: {example}{more}", _STYLES["renamed"])


_NUMBER = re.compile(r"[_#]?\d+")


def _apart(old: str, new: str) -> tuple[str, str]:
    """Two paths without the end that they share."""
    left, right = old.split("."), new.split(".")
    while len(left) > 1 and len(right) > 1 and left[-1] == right[-1]:
        left.pop()
        right.pop()
    return ".".join(left), ".".join(right)


def _edges(changes: Sequence[Change]) -> Iterator[Line]:
    """Types of results; those that follow from other changes only counted."""
    for change in changes:
        if not change.follows:
            yield from told(change)
    behind = [change for change in changes if change.follows]
    if behind:
        first = behind[0]
        shown = f"{clean(first.path)}: {_detail(first.details[0])}"
        count = _count(len(behind), "type")
        yield Line(f"  {count} behind change with them: {shown}{', …' * (len(behind) > 1)}", "dim")


def clean(text: str) -> str:
    """A text from a file: on one line, without control characters, and not too long."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(shown) <= _WIDTH:
        return shown
    return f"{shown[: _WIDTH // 2]}…{shown[-_WIDTH // 2 :]}"
