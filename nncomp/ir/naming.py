"""Unique identifiers for the values and dims of a graph: for its text form and for emission."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from nncomp.dims import Dim, DimLike, Symbol
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Value
from nncomp.records import record

# Words that can never be names, and soft keywords (names where nothing makes them keywords).
HARD_KEYWORDS = """
    and as assert else false for if import in none not or return true yield
"""
SOFT_KEYWORDS = """
    axis block buffer by cond entry fn from input loop maximize metric minimize model nn optimizer
    output over param reverse scan state train update when while
"""
# What the text form itself calls by name.
BUILTINS = """
    bf16 bool f16 f32 f64 i16 i32 i64 i8 u16 u32 u64 u8 f8e4m3fn f8e4m3fnuz f8e5m2 f8e5m2fnuz
    f8e8m0 f4e2m1 i4 u4 i2 u2 string float int list str inf nan min max
    onnx nncomp
"""
NEVER = frozenset((HARD_KEYWORDS + BUILTINS).split())
RESERVED = NEVER | frozenset(SOFT_KEYWORDS.split())

_NOT_A_LETTER = re.compile(r"[^A-Za-z0-9_]+")


def module_path(parameter: str) -> str | None:
    """Where a parameter belongs: `layer1.conv` of `layer1.conv.weight`; None where the name is the
    exporter's own, `onnx::Conv_17`, `val_3`."""
    prefix = parameter.rpartition(".")[0]
    parts = prefix.split(".")
    return (
        prefix if all((p.isascii() and p.isidentifier()) or p.isdecimal() for p in parts) else None
    )


class Names:
    """Hands out identifiers, each once: `conv`, `conv_2`, `conv_3`. Linear in what is asked."""

    def __init__(self, taken: Iterable[str] = RESERVED) -> None:
        self._taken = set(taken)
        self._given: set[str] = set()
        self._next: dict[str, int] = {}

    @property
    def taken(self) -> frozenset[str]:
        """What is not free any more."""
        return frozenset(self._taken)

    def fresh(self, hint: str) -> str:
        """The identifier nearest to `hint` that is still free."""
        name = identifier(hint)
        if name in self._taken:
            number = self._next.get(name, 2)
            while f"{name}_{number}" in self._taken:
                number += 1
            self._next[name] = number + 1
            name = f"{name}_{number}"
        self._taken.add(name)
        self._given.add(name)
        return name

    def claim(self, name: str) -> str:
        """The name itself if it is an identifier and free, even if it is a soft keyword."""
        if name in self._given or name in NEVER or identifier(name) != name:
            return self.fresh(name)
        self._taken.add(name)
        self._given.add(name)
        return name

    def numbered(self, prefix: str) -> str:
        """`v1`, `v2`, …, skipping what is taken."""
        number = self._next.get(prefix + "#", 1)
        while f"{prefix}{number}" in self._taken:
            number += 1
        self._next[prefix + "#"] = number + 1
        self._taken.add(f"{prefix}{number}")
        self._given.add(f"{prefix}{number}")
        return f"{prefix}{number}"


def identifier(text: str) -> str:
    """The text with what an identifier may not hold made `_`: `conv1.weight` -> `conv1_weight`."""
    name = _NOT_A_LETTER.sub("_", text).strip("_") or "v"
    return f"v{name}" if name[0].isdigit() else name


def matches(pattern: str, path: str) -> bool:
    """Whether the pattern names the path: as it stands, as a block around it, or as a shell's
    pattern (`conv*`)."""
    return path == pattern or path.startswith(f"{pattern}.") or fnmatchcase(path, pattern)


@record
class GraphNames:
    """An identifier for every value, dim symbol and output of a graph, all different except that
    an output and its value share theirs where they can."""

    values: Mapping[Value, str]
    symbols: Mapping[Symbol, str]
    outputs: Mapping[str, str]
    fresh: Callable[[str], str]


def name_graph(graph: Graph) -> GraphNames:
    """Names, the same at each call.

    Inputs and outputs come first, so that they have their own names wherever these are
    identifiers; then dims (two symbols of one name become `N`, `N_2`); then parameters by their
    paths and results by their name hints. A result without a hint is `v1`, a constant `c1`, …
    """
    names = Names()
    values: dict[Value, str] = {}
    for value in graph.inputs:
        values[value] = names.claim(value.name)
    outputs: dict[str, str] = {}
    for name, value in graph.outputs.items():
        if value in values and values[value] == name:
            outputs[name] = name
            continue
        outputs[name] = names.claim(name)
        if value not in values and value.node is not None:
            values[value] = outputs[name]
    symbols: dict[Symbol, str] = {}
    for dim in _dims(graph):
        if isinstance(dim, Dim):
            for symbol in sorted(dim.symbols(), key=lambda s: s.serial):
                if symbol not in symbols:
                    symbols[symbol] = names.fresh(symbol.name)
    for parameter in graph.parameters:
        if parameter.value not in values:
            values[parameter.value] = names.fresh(parameter.path)
    results = list(dict.fromkeys(v for v in _made(graph) if v not in values))
    for value in results:
        if value.name:
            values[value] = names.fresh(value.name)
    for value in results:
        if not value.name:
            constant = value.node is not None and isinstance(value.node.op, Constant)
            values[value] = names.numbered("c" if constant else "v")
    return GraphNames(values, symbols, outputs, names.fresh)


def _made(graph: Graph) -> Iterator[Value]:
    """The results of all nodes, and in bodies what they are given too, but for captures."""
    for node in graph.nodes:
        yield from node.outputs
        for body in node.op.bodies:
            yield from body.inputs[: len(body.inputs) - body.captures]
            yield from _made(body)


def _dims(graph: Graph) -> Iterator[DimLike]:
    """Every dim of the types and `Dims` operators of the graph and its bodies."""
    for value in graph.inputs:
        yield from value.shape
    for parameter in graph.parameters:
        yield from parameter.value.shape
    for node in graph.nodes:
        for value in node.outputs:
            yield from value.shape
        for body in node.op.bodies:
            yield from _dims(body)
        if isinstance(node.op, Dims):
            yield from node.op.dims
