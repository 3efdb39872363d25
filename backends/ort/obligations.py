"""Obligations in an ONNX model: written as JSON in its `metadata_props`, checked before each run.

`docs/obligations.md` is the description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx

from nncomp.backends.ort.naming import DimNames
from nncomp.dims import Dim, DimLike, Function, Symbol, floordiv, maximum, minimum, mod
from nncomp.errors import error
from nncomp.ir.graph import Graph
from nncomp.ir.obligation import RELATIONS, Comparison, Message, Obligation, spelt
from nncomp.ir.sizes import sources
from nncomp.source import SourceFile, Span

OBLIGATIONS_KEY = "nncomp.obligations"
VERSION = 1


def describe(graph: Graph, written: Mapping[str, str], dims: DimNames) -> dict[str, Any]:
    """The obligations of a graph, for the metadata. written: the model's names of the inputs"""
    needed = {symbol for obligation in graph.obligations for symbol in obligation.symbols()}
    found = sources(graph.inputs)
    where = {dims.text(s.dim): found[s] for s in sorted(needed, key=lambda s: s.order)}
    return {
        "version": VERSION,
        "dims": {
            name: {
                "input": written[source.value.name],
                "axis": source.axis,
                "factor": source.factor,
                "offset": source.offset,
            }
            for name, source in where.items()
        },
        "obligations": [
            {
                "any": [
                    [c.relation, _written(c.left, dims), _written(c.right, dims)] for c in o.clause
                ],
                "message": _message(o.message, dims),
                "source": o.span and _place(o.span),
            }
            for o in graph.obligations
        ],
    }


def _message(message: Message, dims: DimNames) -> Any:
    """A text, or a list of texts and dims."""
    if not any(isinstance(part, Dim) for part in message):
        return spelt(message)
    return [p if isinstance(p, str) else {"dim": _written(p, dims)} for p in message]


def _written(dim: DimLike, dims: DimNames) -> Any:
    """A dim as nested lists: `8*h + 1` is ["+", ["*", 8, "h"], 1]."""
    if isinstance(dim, int):
        return dim
    terms: list[Any] = []
    for monomial, coefficient in dim.terms.items():
        factors: list[Any] = [
            [atom.name, _written(atom.left, dims), _written(atom.right, dims)]
            if isinstance(atom, Function)
            else dims.text(atom.dim)
            for atom in monomial
        ]
        if coefficient != 1 or not factors:
            factors.insert(0, coefficient)
        terms.append(factors[0] if len(factors) == 1 else ["*", *factors])
    return terms[0] if len(terms) == 1 else ["+", *terms]


def _place(span: Span) -> dict[str, Any]:
    line, column = span.source.position(span.start)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "length": span.end - span.start,
        "text": span.source.line(line),
    }


@dataclass(frozen=True)
class Obligations:
    """What a model asks of the shapes of its inputs."""

    places: tuple[tuple[Symbol, str, int, int, int], ...]  # input, axis, factor, offset
    required: tuple[Obligation, ...]

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """CompileError NN0209 if one does not hold. shapes: by the model's names of its inputs"""
        if self.required:
            values: dict[Symbol, DimLike] = {
                symbol: (shapes[name][axis] - offset) // factor
                for symbol, name, axis, factor, offset in self.places
            }
            for obligation in self.required:
                obligation.require(values)


def read_obligations(model: onnx.ModelProto) -> Obligations:
    """The obligations of a model, none for one without. CompileError NN0306 if they cannot be
    read: they would go unchecked."""
    text = next((p.value for p in model.metadata_props if p.key == OBLIGATIONS_KEY), None)
    if text is None:
        return Obligations((), ())
    ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in model.graph.input}
    try:
        raw = json.loads(text)
        if raw["version"] != VERSION:
            raise error("NN0306", f"the model's obligations have version {raw['version']}")
        symbols = {str(name): Symbol(str(name), 0) for name in raw["dims"]}
        places = []
        for name, place in raw["dims"].items():
            axis, factor, offset = (int(place[key]) for key in ("axis", "factor", "offset"))
            if not 0 <= axis < ranks[place["input"]] or factor < 1:
                raise ValueError(name)
            places.append((symbols[name], place["input"], axis, factor, offset))
        return Obligations(
            tuple(places), tuple(_obligation(entry, symbols) for entry in raw["obligations"])
        )
    except _BROKEN as failure:
        raise error("NN0306", f"the model's obligations are broken: {failure!r:.80}") from None


_BROKEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


def _obligation(entry: Mapping[str, Any], symbols: Mapping[str, Symbol]) -> Obligation:
    clause = []
    for relation, left, right in entry["any"]:
        if relation not in RELATIONS:
            raise ValueError(relation)
        clause.append(Comparison(_read(left, symbols), relation, _read(right, symbols)))
    if not clause:
        raise ValueError("an empty `any`")
    message = entry["message"]
    parts = [message] if isinstance(message, str) else message
    dims = [p if isinstance(p, str) else _read(p["dim"], symbols) for p in parts]
    told = tuple(d if isinstance(d, Dim) else str(d) for d in dims)
    return Obligation(tuple(clause), told, _span(entry.get("source")))


_OPERATIONS = {"//": floordiv, "%": mod, "min": minimum, "max": maximum}
_MAX_LINE = 10**6


def _read(term: Any, symbols: Mapping[str, Symbol]) -> DimLike:
    if isinstance(term, str):
        return symbols[term].dim
    if isinstance(term, int):
        return int(term)
    name, *parts = term
    operands = [_read(part, symbols) for part in parts]
    if name in ("+", "*"):
        result: DimLike = operands[0]
        for operand in operands[1:]:
            result = result + operand if name == "+" else result * operand
        return result
    left, right = operands
    return _OPERATIONS[name](left, right)


def _span(place: Mapping[str, Any] | None) -> Span | None:
    """The place as a span of a source of which only that line is known."""
    if place is None:
        return None
    line = int(place["line"])
    if not 1 <= line <= _MAX_LINE:
        raise ValueError(line)
    before = "\n" * (line - 1)
    source = SourceFile(str(place["file"]), before + str(place["text"]))
    start = len(before) + int(place["column"]) - 1
    return Span(source, start, start + int(place["length"]))
