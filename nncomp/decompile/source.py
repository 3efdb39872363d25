"""A graph and its weights as the text of a `.nn` file and the tensors beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from nncomp.decompile.blocks import structured
from nncomp.decompile.compare import same_computation
from nncomp.decompile.compositions import composed
from nncomp.decompile.names import model_name
from nncomp.decompile.prepare import Prepared, prepare
from nncomp.errors import CompileError, error
from nncomp.ir.graph import Graph
from nncomp.ir.naming import module_path, name_graph
from nncomp.ir.text import to_text
from nncomp.source import SourceFile
from nncomp.syntax.formatter import format_source
from nncomp.types import Array, OptionalType

_LISTED = 100  # renamed names in the comment


@dataclass(frozen=True)
class Source:
    """text: of the `.nn` file, in canonical layout
    weights: by path, of all parameters and buffers
    structured: whether blocks were looked for and the text was found to be the same computation
    blocks: how many it declares
    """

    text: str
    weights: Mapping[str, Array] = field(repr=False)
    structured: bool = False
    blocks: int = 0


@dataclass(frozen=True)
class Origin:
    """Where a model comes from. file: its name; note: who wrote it; modules: the paths of its
    blocks, with their classes where these are known"""

    file: str
    note: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)


def decompile(
    graph: Graph, weights: Mapping[str, Array], origin: Origin, read: Callable[[SourceFile], Graph]
) -> Source:
    """The graph as a model; built, it gives the same outputs.

    Blocks are recovered where that can be. What is written is read again, by `read`, and compared
    with the plain text of the graph; where both are not the same, the plain text is the answer.
    Raises CompileError NN0804 for inputs that the language has no type for, and what `read` raises
    for a graph that it cannot say.
    """
    for value in graph.inputs:
        if isinstance(value.type, OptionalType):
            message = f"a `.nn` file has no input of the type {value.type}, as `{value.name}` is"
            raise error("NN0804", message)
    named = replace(graph, name=model_name(graph.name, origin.file))
    ready = prepare(named, weights)
    title = f'"""{_title(origin)}."""'
    text = to_text(ready.graph)
    flat = read(SourceFile(f"{origin.file} as .nn", text.text))
    if not text.constants:  # large ones in the bodies of control flow
        built = structured(composed(ready.graph), origin.modules)
        paths = {p.path: built.paths[p.value] for p in ready.graph.parameters}
        whole = _formatted(built.text, [*_renamed(ready, paths), title])
        if _is_same(whole, flat, paths, read):
            given = {paths[path]: array for path, array in ready.weights.items()}
            return Source(whole, given, True, built.blocks)
    whole = _formatted(text.text, [*_renamed(ready, {}), title])
    return Source(whole, {**ready.weights, **text.constants})


def _is_same(
    text: str, flat: Graph, paths: Mapping[str, str], read: Callable[[SourceFile], Graph]
) -> bool:
    try:
        found = read(SourceFile("imported.nn", text))
    except CompileError:
        return False
    renamed = tuple(replace(p, path=paths[p.path]) for p in flat.parameters)
    return same_computation(found, replace(flat, parameters=renamed))


def _formatted(text: str, head: list[str]) -> str:
    """The text in canonical layout, the head before its model."""
    before, model, behind = f"\n{text}".rpartition("\nmodel ")  # no text holds a line end
    lines = "\n".join(head)
    return format_source(SourceFile("imported.nn", f"{before}\n{lines}{model}{behind}"))


def _title(origin: Origin) -> str:
    return ", ".join(_plain(part) for part in (origin.file, origin.note) if part)


def _renamed(ready: Prepared, paths: Mapping[str, str]) -> list[str]:
    """Which names could not be kept, as comments. paths: of the parameters in the text, by those
    in the graph; `*` stands for all blocks in which they changed alike"""
    names = name_graph(ready.graph)
    pairs: dict[str, str] = {}
    for name, path in ready.names.items():
        new = paths.get(path, path)
        if name == new or (name == path and module_path(name) is None):
            continue  # what the exporter made up tells nobody anything
        (block, _, last), (around, _, now) = name.rpartition("."), new.rpartition(".")
        alike = block and block == around
        pairs[f"*.{last}" if alike else name] = f"*.{now}" if alike else new
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
