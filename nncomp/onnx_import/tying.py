"""Initialisers that are one weight of the network that was exported.

An exporter writes a matrix that is used both ways, like the embedding that is a language model's
head too, twice: as it stands and transposed. To be learnt as it was, it must be one parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nncomp.errors import Diagnostic
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Parameter, Value
from nncomp.ir.rebuild import remap
from nncomp.onnx_import.importer import Imported
from nncomp.ops.shape import Transpose
from nncomp.types import Array


@dataclass(frozen=True)
class Copy:
    """That an initialiser repeats the one named `of`, or its transpose."""

    of: str
    transposed: bool

    def made_of(self, array: Array) -> Array:
        """The copy's numbers."""
        return array.T if self.transposed else array


def tied(imported: Imported) -> tuple[Imported, dict[str, Copy]]:
    """The model with one parameter for all learnt matrices of the same numbers, and by name which
    others it stands for. Each is told in a warning."""
    copies = _copies(imported)
    if not copies:
        return imported, copies
    b = Builder()
    parameters = {p.path: p for p in imported.graph.parameters}
    values: dict[Value, Value] = {}
    warnings: list[Diagnostic] = []
    for name, copy in copies.items():
        whole = parameters[copy.of].value
        made = b(Transpose(perm=(1, 0)), whole) if copy.transposed else whole
        values[parameters.pop(name).value] = made
        how = "the transpose of " if copy.transposed else ""
        text = f"`{name}` is {how}`{copy.of}`: they are learnt as one"
        warnings.append(Diagnostic("NN0807", text, severity="warning"))
    nodes = (*b.nodes, *(remap(node, values) for node in imported.graph.nodes))
    graph = replace(imported.graph.replace(nodes, values), parameters=tuple(parameters.values()))
    weights = {path: imported.weights[path] for path in parameters}
    found = replace(
        imported, graph=graph, weights=weights, warnings=(*imported.warnings, *warnings)
    )
    return found, copies


def with_copies(weights: Mapping[str, Array], copies: Mapping[str, Copy]) -> dict[str, Array]:
    """The weights, and those that repeat them."""
    made = {name: c.made_of(weights[c.of]) for name, c in copies.items() if c.of in weights}
    return {**weights, **made}


def _copies(imported: Imported) -> dict[str, Copy]:
    first: dict[tuple[object, ...], list[Parameter]] = {}
    found: dict[str, Copy] = {}
    for parameter in imported.graph.parameters:
        array = imported.weights[parameter.path]
        if parameter.kind != "param" or array.ndim != 2 or (array == array[:1, :1]).all():
            continue
        # corners that stay where they are when it is transposed
        corners = array[0, 0].item(), array[-1, -1].item()
        alike = first.setdefault((array.dtype, *sorted(array.shape), *corners), [])
        for other in alike:
            copy = _copy(array, imported.weights[other.path], other.path)
            if copy is not None:
                found[parameter.path] = copy
                break
        else:
            alike.append(parameter)
    return found


def _copy(array: Array, other: Array, path: str) -> Copy | None:
    if np.array_equal(array, other):
        return Copy(path, False)
    return Copy(path, True) if np.array_equal(array, other.T) else None
