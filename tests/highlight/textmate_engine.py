"""A TextMate engine for what our grammar uses: `match`, `begin`/`end`, captures."""

from __future__ import annotations

import re
from typing import Any


def scopes_of(grammar: dict[str, Any], text: str) -> dict[int, str]:
    """For each character that a rule covers its innermost scope, without the suffix `.nn`."""
    found: dict[int, str] = {}
    inside: dict[str, Any] | None = None
    offset = 0
    for line in text.split("\n"):
        at = 0
        while at <= len(line):
            patterns = grammar["patterns"] if inside is None else inside["patterns"]
            end = None if inside is None else re.compile(inside["end"]).search(line, at)
            best = _first(patterns, line, at)
            if inside is not None and (best is None or (end and end.start() <= best[0].start())):
                if end is None:
                    _paint(found, offset + at, offset + len(line), inside["name"])
                    break
                _paint(found, offset + at, offset + end.end(), inside["name"])
                at, inside = end.end(), None
                if at >= len(line):
                    break
                continue
            if best is None:
                break
            match, rule = best
            if inside is not None:
                _paint(found, offset + at, offset + match.end(), inside["name"])
            name = rule.get("name")
            if name:
                _paint(found, offset + match.start(), offset + match.end(), name)
            for group, capture in rule.get("captures", {}).items():
                start, stop = match.span(int(group))
                _paint(found, offset + start, offset + stop, capture["name"])
            if "begin" in rule:
                inside = rule
            at = match.end() if match.end() > match.start() else match.end() + 1
        offset += len(line) + 1
    return found


def _first(
    patterns: list[dict[str, Any]], line: str, at: int
) -> tuple[re.Match[str], dict[str, Any]] | None:
    """The leftmost match; of several there, that of the first rule."""
    found = None
    for rule in patterns:
        match = re.compile(rule.get("match") or rule["begin"]).search(line, at)
        if match and (found is None or match.start() < found[0].start()):
            found = match, rule
    return found


def _paint(found: dict[int, str], start: int, end: int, scope: str) -> None:
    found.update(dict.fromkeys(range(start, end), scope.removesuffix(".nn")))
