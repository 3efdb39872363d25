"""Names that the language takes, for a model from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from nncomp.dims import DimLike, Symbol, substitute
from nncomp.ir.naming import identifier

# What exporters call every graph.
_MEANINGLESS = {"main_graph", "torch_jit", "torch-jit-export", "graph", "model", "g"}
_LONGEST = 200  # characters of a path
_TAKEN = {"__metadata__"}  # safetensors keeps its notes there


def model_name(graph: str, file: str) -> str:
    """What to call the model: as the graph is called, or the file if that says nothing."""
    tells = graph and graph not in _MEANINGLESS and not graph.endswith(".onnx")
    if tells and graph.isascii():
        return identifier(graph)
    stem = re.split(r"[\\/]", file)[-1].removesuffix(".onnx")
    return camel_case(stem) or "Model"


def camel_case(text: str) -> str:
    """`resnet50` -> `Resnet50`, `basic_block` -> `BasicBlock`; "" if it has no letter."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    name = "".join(word[0].upper() + word[1:] for word in words)
    return name.lstrip("0123456789")


def snake_case(text: str) -> str:
    """`attention.self` -> `attention_self`, `1` -> `v1`."""
    return identifier(text)


def parameter_paths(names: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """A path of the language for each name, all different: the name itself where that is one."""
    paths: dict[str, str] = {}
    used = {*_TAKEN, *taken}
    wanted = list(names)
    own = {name for name in wanted if _path(name) == name}
    for name in wanted:
        path = base = _path(name)
        number = 2
        while path in used or (path != name and path in own):
            path = f"{base}_{number}"
            number += 1
        used.add(path)
        paths[name] = path
    return paths


def _path(name: str) -> str:
    """The name with what no path holds made `_`: empty parts, what cannot be seen."""
    shown = "".join(c if c.isprintable() and c not in "{}" else "_" for c in name[:_LONGEST])
    return ".".join(part.strip() or "_" for part in shown.split("."))


def dim_text(dim: DimLike, names: Mapping[Symbol, str]) -> str:
    """A dim with its symbols called as `names` says, as text."""
    if isinstance(dim, int):
        return str(dim)
    renamed: dict[Symbol, DimLike] = {
        s: Symbol(names.get(s, s.name), s.minimum, s.maximum).dim for s in dim.symbols()
    }
    return str(substitute(dim, renamed))
