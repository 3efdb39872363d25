"""Every example of docs/*.md runs, and its tables say what the code says.

A fenced `nn` block is a whole file unless an HTML comment in the line before says otherwise:

* `<!-- fragment -->`: statements of a model over `input x: f32[N, 3, 8, 10]`, with the blocks of
  the standard library imported
* `<!-- error NN0207 -->`, `<!-- fragment error NN0207 -->`: fails with that code; a `text` block
  that follows is what is printed
* `<!-- paths -->`: the `text` block that follows lists the paths of the model's parameters

In a fragment a comment behind `name = ...` is checked too: `# f32[N, 3]` is the value's type,
`# = 3` the static value itself.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncomp import dims, files
from nncomp.codes import CODES
from nncomp.dims import Dim, DimLike, substitute
from nncomp.driver.compiling import initial_values
from nncomp.driver.running import run
from nncomp.errors import CompileError
from nncomp.ir import builder
from nncomp.ir.graph import Graph
from nncomp.limits import Limits
from nncomp.lower import context, expansion, modules, tensors, values
from nncomp.lower.builtins import BUILTINS, MAX_RANGE
from nncomp.lower.modules import std_index, std_value
from nncomp.lower.program import Program, lower, models
from nncomp.lower.state import MAX_ELEMENTS
from nncomp.lower.values import Factory, Function
from nncomp.source import SourceFile
from nncomp.syntax import ast, lexer, literals, parser
from nncomp.syntax.formatter import format_source
from nncomp.types import DType, SequenceType, TensorType, tensors_of

DOCS = Path(__file__).parent.parent / "docs"
REFERENCE = (DOCS / "language.md").read_text("utf-8")


@dataclass(frozen=True)
class Example:
    file: str
    line: int
    marks: tuple[str, ...]
    text: str
    shown: str | None  # the text block that follows

    @property
    def source(self) -> SourceFile:
        text = _wrap(self.text) if "fragment" in self.marks else self.text
        return SourceFile("example.nn", text)

    @property
    def code(self) -> str | None:
        return next((mark for mark in self.marks if mark.startswith("NN")), None)


_BLOCK = re.compile(
    r"^(?:<!-- (?P<marks>[^\n]*) -->\n)?```nn\n(?P<text>.*?)^```\n"
    r"(?:\n```text\n(?P<shown>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


def _examples() -> Iterator[Example]:
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text("utf-8")
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("text"))
            marks = tuple((match["marks"] or "").split())
            yield Example(path.name, line, marks, match["text"], match["shown"])


_BLOCKS = sorted(name for name in std_index() if isinstance(std_value(name), Factory))


def _wrap(statements: str) -> str:
    lines = [
        f"from std import {', '.join(_BLOCKS)}",
        "model Example {",
        "input x: f32[N, 3, 8, 10]",
    ]
    for number, line in enumerate(statements.splitlines()):
        lines.append(line)
        claim = _CLAIM.match(line)
        if claim and claim["value"]:
            lines.append(f"assert {claim['name']} == {claim['value']}")
        elif claim:
            lines.append(f"output shown{number} = {claim['name']}")
    if not re.search(r"^ *(output|train|entry)\b", "\n".join(lines), re.MULTILINE):
        lines.append("output result = f32(0)")
    return "\n".join([*lines, "}", ""])


_DTYPES = "|".join(d.value for d in DType)
_CLAIM = re.compile(
    rf"(?P<name>\w+)(?:: [^=]+)? = .*# (?:= (?P<value>.+)|(?P<type>(?:{_DTYPES})\[.*\]))$"
)
EXAMPLES = list(_examples())
_IDS = [f"{e.file}:{e.line}" for e in EXAMPLES]


def _lowered(source: SourceFile) -> Program:
    """All models of the source; the first is given back. A file without one is checked, too."""
    names = models(source)
    if not names:
        text = source.text + "\nmodel Example { output result = f32(0) }\n"
        return lower(SourceFile(source.name, text))
    programs = [lower(source, name) for name in names]
    return programs[0]


def _with_tens(dim: Dim) -> DimLike:
    """Its size if every symbol is 10."""
    return substitute(dim, dict.fromkeys(dim.symbols(), 10))


def _drawn(type_: TensorType, rng: np.random.Generator) -> Any:
    """Numbers for an input; three tensors for a sequence."""
    if isinstance(type_, SequenceType):
        sizes = [10 if size is None else size for size in type_.sizes or ()]
        return [_drawn(TensorType(type_.dtype, tuple(sizes)), rng) for _ in range(3)]
    shape = [d if isinstance(d, int) else _with_tens(d) for d in type_.shape]
    return np.asarray(rng.uniform(0.1, 1, shape)).astype(type_.dtype.numpy)


def _run(program: Program) -> None:
    """Each inference graph gives the same in NumPy and in onnxruntime."""
    values = initial_values(program)
    rng = np.random.default_rng(0)
    graphs: dict[str | None, Graph] = {None: program.graph, **program.entries}
    for entry, graph in graphs.items():
        if not graph.outputs:
            continue
        given = {}
        for value in graph.inputs:
            if value.name not in graph.defaults:
                given[value.name] = _drawn(value.type, rng)
        expected = run(program, values, given, backend="numpy", entry=entry).outputs
        expected = tensors_of(expected)
        found = run(program, values, given, entry=entry).outputs
        for name, array in tensors_of(found).items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("example", EXAMPLES, ids=_IDS)
def test_example(example: Example) -> None:
    if example.code is not None:
        with pytest.raises(CompileError) as caught:
            _lowered(example.source)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code == example.code, diagnostic.render()
        assert example.shown is None or diagnostic.render() + "\n" == example.shown
        return
    program = _lowered(example.source)
    _run(program)
    if "paths" in example.marks:
        paths = "".join(f"{p.path}\n" for p in program.graph.parameters)
        assert paths == example.shown
    if "fragment" in example.marks:
        for number, line in enumerate(example.text.splitlines()):
            claim = _CLAIM.match(line)
            if claim and claim["type"]:
                assert str(program.graph.outputs[f"shown{number}"].type) == claim["type"], line


@pytest.mark.parametrize("example", EXAMPLES, ids=_IDS)
def test_example_is_formatted(example: Example) -> None:
    if example.code is None and "fragment" not in example.marks:
        assert format_source(example.source) == example.text


def _rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    _, below = REFERENCE.split(f"\n## {heading}\n")
    table = below[: below.find("\n## ")].split("\n|---|---|\n")[1]
    lines = itertools.takewhile(lambda line: line.startswith("|"), table.splitlines())
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def _signature(cell: str) -> tuple[str, list[str]]:
    """`Conv(out, kernel, stride=1)(x)` in backticks: the name, and the names of its parameters."""
    name, _, rest = cell.strip("`").partition("(")
    inner = rest.replace(")(", ", ").removesuffix(")")
    depth, parts = 0, [""]
    for char in inner:
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return name, [part.split("=")[0].strip() for part in parts if part.strip()]


def test_the_library_is_listed_with_its_parameters() -> None:
    listed = dict(_signature(row[0]) for row in _rows("The standard library"))
    declared: dict[str, list[str]] = {}
    for name in std_index():
        value = std_value(name)
        decl = value.decl
        if isinstance(value, Function):
            formals = list(value.decl.parameters)
        else:
            assert isinstance(decl, ast.BlockDecl)
            formals = [*decl.hyperparameters, *decl.tensors]
        declared[name] = [formal.name.text for formal in formals]
    assert listed == declared


def test_the_functions_of_the_compiler_are_listed() -> None:
    listed = [
        name for row in _rows("Functions of the compiler") for name in re.findall(r"`(\w+)", row[0])
    ]
    assert sorted(listed) == sorted(BUILTINS)


def test_all_codes_are_listed() -> None:
    assert {row[0].strip("`"): row[1] for row in _rows("Diagnostics")} == CODES


def test_limits_are_stated() -> None:
    section = "\n".join(row[1] for row in _rows("Limits"))
    limits = [
        lexer.MAX_NESTING,
        parser.MAX_HEIGHT,
        context.MAX_CALLS,
        Limits().nodes,
        MAX_RANGE,
        values.MAX_ITEMS,
        modules.MAX_IMPORTS,
        files.MAX_SOURCE >> 20,
        Limits().words,
        lexer.MAX_STATEMENT,
        literals.MAX_STRING,
        literals.MAX_PARTS,
        dims.MAX_SIZE,
        expansion.MAX_LOOKED_AT,
        expansion.STEPS_OF_A_LINE,
        builder.MAX_RANK,
        tensors.MAX_INT_BITS,
        MAX_ELEMENTS,
    ]
    for limit in limits:
        assert f"{limit:,}" in section, limit
