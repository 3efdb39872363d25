"""A syntax tree as text, without spans: what tests compare and golden files hold."""

from __future__ import annotations

from dataclasses import fields

from nncomp.source import Span
from nncomp.syntax import ast


def dump(node: ast.Node, indent: int = 0) -> str:
    """One field per line, nodes by their class name; equal for trees that mean the same."""
    lines: list[str] = []
    _dump(node, "", indent, lines)
    return "\n".join(lines)


def ast_equal(one: ast.Node, other: ast.Node) -> bool:
    """Do two trees differ in their spans at most?"""
    return dump(one) == dump(other)


def _dump(value: object, label: str, indent: int, lines: list[str]) -> None:
    # Recursive: the parser bounds the height of trees.
    lead = "  " * indent + label
    if isinstance(value, ast.Node):
        lines.append(lead + type(value).__name__)
        for field in fields(value):
            item = getattr(value, field.name)
            if not isinstance(item, Span):
                _dump(item, f"{field.name}: ", indent + 1, lines)
    elif isinstance(value, tuple) and value:
        lines.append(lead + "(")
        for item in value:
            _dump(item, "", indent + 1, lines)
        lines.append("  " * indent + ")")
    else:
        lines.append(f"{lead}{value!r}")
