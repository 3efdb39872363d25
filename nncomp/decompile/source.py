"""A graph and its weights as the text of a `.nn` file and the tensors beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nncomp.decompile.names import model_name
from nncomp.decompile.prepare import Prepared, prepare
from nncomp.ir.graph import Graph
from nncomp.ir.naming import name_graph
from nncomp.ir.text import to_text
from nncomp.source import SourceFile
from nncomp.syntax.formatter import format_source
from nncomp.types import Array

_LISTED = 100  # renamed names in the comment


@dataclass(frozen=True)
class Source:
    """text: of the `.nn` file, in canonical layout
    weights: by path, of all parameters and buffers
    """

    text: str
    weights: Mapping[str, Array] = field(repr=False)


def decompile(graph: Graph, weights: Mapping[str, Array], file: str, note: str = "") -> Source:
    """The graph as a model; built, it gives the same outputs.

    file: where it comes from, for its name and documentation; note: the same, of who wrote it
    """
    ready = prepare(replace(graph, name=model_name(graph.name, file)), weights)
    text = to_text(ready.graph)
    head = [f'"""{_plain(file)}{f", {_plain(note)}" if note else ""}."""']
    source = SourceFile("imported.nn", "\n".join([*_renamed(ready), *head, text.text]))
    return Source(format_source(source), {**ready.weights, **text.constants})


def _renamed(ready: Prepared) -> list[str]:
    """Which names could not be kept, as comments."""
    names = name_graph(ready.graph)
    pairs = dict(ready.renamed)
    pairs |= {v.name: names.values[v] for v in ready.graph.inputs if v.name != names.values[v]}
    pairs |= {name: new for name, new in names.outputs.items() if name != new}
    if not pairs:
        return []
    lines = [f"#   {_plain(new)}: {_plain(old)}" for old, new in list(pairs.items())[:_LISTED]]
    if len(pairs) > _LISTED:
        lines.append(f"#   and {len(pairs) - _LISTED} more")
    return ["# Names that were others in the model:", *lines, ""]


def _plain(text: str) -> str:
    """Text for a comment or a documentation: nothing in it ends either."""
    return "".join(c if c.isprintable() and c not in '"\\{}' else "?" for c in text[:200])
