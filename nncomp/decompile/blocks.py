"""Blocks and the model as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nncomp.decompile.groups import Group, fill, grouped
from nncomp.decompile.interfaces import connect
from nncomp.decompile.layers import layer_of
from nncomp.decompile.model import Model
from nncomp.decompile.names import camel_case
from nncomp.decompile.regions import Region, tree_of
from nncomp.decompile.scopes import scopes_of
from nncomp.decompile.templates import Template, Templates
from nncomp.decompile.unnamed import with_layers
from nncomp.ir.graph import Graph, Value
from nncomp.ir.naming import Names

LIBRARY = ["Conv", "ConvTranspose", "Linear", "LayerNorm", "RMSNorm", "BatchNorm", "Embedding"]


@dataclass(frozen=True)
class Structured:
    """A graph as blocks and a model. paths: of the parameters; blocks: how many there are"""

    text: str
    paths: Mapping[Value, str]
    blocks: int


def structured(graph: Graph, modules: Mapping[str, str]) -> Structured:
    """The graph as blocks and a model. modules: paths of blocks, and their classes"""
    kinds = {p.value: p.kind for p in graph.parameters}
    scopes, guessed = with_layers(graph, scopes_of(graph, modules))
    root = tree_of(graph, scopes, modules)
    connect(root, graph, lambda r: r.path not in guessed or layer_of(r, kinds) is not None)
    templates = Templates(kinds)
    templates.add_all(root)
    groups = grouped(templates)
    _name_blocks(groups, modules, graph.name)
    written = [_block(group, groups) for group in dict.fromkeys(groups.values())]
    written.append(Model(graph, root, templates, groups).text())
    used = sorted({layer.block for layer in templates.layers.values()})
    head = [f"from std import {', '.join(used)}\n"] if used else []
    paths = {value: path for r in root.regions() for value, path in r.paths().items()}
    return Structured("\n".join([*head, *written]), paths, len(written) - 1)


def _name_blocks(groups: Mapping[Template, Group], modules: Mapping[str, str], model: str) -> None:
    names = Names([*LIBRARY, model])
    for group in dict.fromkeys(groups.values()):
        group.name = _numbered(names, _block_name(group.first.region, modules))


def _numbered(names: Names, name: str) -> str:
    """`Layer`, `Layer2`, `Layer3`."""
    number, found = 1, name
    while found in names.taken:
        number += 1
        found = f"{name}{'_' if name[-1].isdecimal() else ''}{number}"
    return names.claim(found)


def _block_name(region: Region, modules: Mapping[str, str]) -> str:
    """The class of the module, or the name of the instance: `Layer` for `layers.0`."""
    kind = modules.get(region.path, "")
    if kind and kind.isidentifier() and kind.isascii() and kind not in ("Sequential", "ModuleList"):
        return camel_case(kind)
    words = region.path.split(".")
    name = next((w for w in reversed(words) if not w.isdecimal() and camel_case(w)), "block")
    counted = words[-1].isdecimal() and name.endswith("s") and len(name) > 2
    return camel_case(name.removesuffix("s") if counted else name) or "Block"


def _block(group: Group, groups: Mapping[Template, Group]) -> str:
    template = group.first
    lines: list[str] = []
    at = 0
    for pieces in template.pieces():
        line, at = fill(pieces, at, group.written, groups)
        lines.append(line)
    hyper = [
        f"{name}: {'dim' if hint == 'dim' else 'int'}"
        for name, (_, hint) in group.hyperparameters.items()
    ]
    tensors = [f"{n}: {t}" for n, t in zip(template.inputs, group.signature, strict=True)]
    body = "\n".join(lines)
    return f"block {group.name}({', '.join(hyper)})({', '.join(tensors)}) {{\n{body}\n}}\n"
