"""Source to syntax tree, and back: `parse`, `format_source`, `dump`."""

from __future__ import annotations

from nncomp.syntax.dump import ast_equal, dump
from nncomp.syntax.formatter import format_source
from nncomp.syntax.parser import parse, parse_expression

__all__ = ["ast_equal", "dump", "format_source", "parse", "parse_expression"]
