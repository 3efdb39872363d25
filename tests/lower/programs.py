"""Lowering small programs in tests."""

from __future__ import annotations

from typing import Any

import pytest

from nncomp.errors import CompileError, Diagnostic
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program, lower
from nncomp.source import SourceFile

STD = "from std import BatchNorm, Conv, Dropout, Linear\nfrom std.optim import Adam, SGD\n"


def program(text: str, model: str | None = None, **settings: Any) -> Program:
    return lower(SourceFile("test.nn", text), model, settings)


def body(statements: str) -> Program:
    """A model of these statements over `x: f32[N, 3, 8, 10]`."""
    return program(f"model M {{\n  input x: f32[N, 3, 8, 10]\n{statements}\n}}\n")


def paths(graph: Graph) -> list[str]:
    return [parameter.path for parameter in graph.parameters]


def operators(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes if node.op.name != "Constant"]


def failure(text: str, **settings: Any) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        program(text, **settings)
    [found] = caught.value.diagnostics  # one fault, one report
    return found
