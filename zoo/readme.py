"""models/README.md, from the table and from what `make zoo` found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import nncomp
from zoo.levels import code_lines
from zoo.row import MODELS, ROOT, Row

README = MODELS / "README.md"
RESULTS = ROOT / "zoo" / "results.json"
HEAD = """# The models

Systems that practitioners know by name, each as a `.nn` file that reads like its paper. This page
is written by `make zoo`, which goes through the levels of every row: the file is short, `nncomp
build` makes ONNX of it that stock onnxruntime loads, NumPy and onnxruntime give the same numbers, a
published figure is reproduced (*figure*), training reaches a mark (*mark*), by the commands below
the table. Parameters are those of the file's first model as it stands, without `--set`.

[docs/families](../docs/families/feed_forward.md) tells of them family by family, with pictures;
[docs/methods.md](../docs/methods.md) lists what trains them: optimisers, initial values,
regularisers, activations, losses, searches, each with the model that uses it.

"""


def results() -> dict[str, Any]:
    """What was found last, by row and level."""
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}


def render(rows: Sequence[Row], found: Mapping[str, Any]) -> str:
    """The whole page."""
    table = [
        "| # | system | file | lines | parameters | figure | mark |",
        "|---|---|---|---|---|---|---|",
        *(_line(row, found.get(str(row.number), {})) for row in rows),
    ]
    missing = [f"- {row.number}, {row.system}: {row.short}" for row in rows if row.short]
    commands = [
        f"{row.number}. {row.system}: {row.mark.what}\n\n"
        + "".join(f"       {command}\n" for command in row.mark.commands)
        for row in rows
        if row.mark
    ]
    parts = [HEAD, "\n".join(table), "\n"]
    if missing:
        parts += ["\n## What is missing\n\n", "\n".join(missing), "\n"]
    parts += ["\n## The commands of the marks\n\n", "\n".join(commands)]
    return "".join(parts)


def _line(row: Row, found: Mapping[str, Any]) -> str:
    figure = f"{row.figure.what}{_state(found.get('4'))}" if row.figure else ""
    mark = f"{row.mark.what}{_state(found.get('5'))}" if row.mark else ""
    file = f"[{row.file}]({row.file})"
    lines = code_lines(row.file)
    size = f"{parameters(row.file):,}"
    return f"| {row.number} | {row.system} | {file} | {lines} | {size} | {figure} | {mark} |"


def _state(outcome: Mapping[str, Any] | None) -> str:
    if outcome is None:
        return " (not run)"
    return f": {outcome['found']}" if outcome["done"] else f": **not reached**, {outcome['found']}"


def parameters(file: str) -> int:
    """How many numbers the first model of a file learns."""
    program = nncomp.driver.programs.load_program(nncomp.driver.importing.open_file(MODELS / file))
    graphs = [program.graph, *program.entries.values()]
    learnt = {p.path: p for graph in graphs for p in graph.parameters if p.kind == "param"}
    return sum(prod(p.value.type.static_shape) for p in learnt.values())
