"""Inputs that are too small for a graph: convolutions and poolings of which nothing is left.

A run is not checked for that beforehand: it fails, in words of whichever kernel came to it first.
Then this finds the node and the sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nncomp.dims import DimLike, Symbol, substitute
from nncomp.errors import CompileError, error
from nncomp.ir.graph import Graph
from nncomp.ir.sizes import sources


@contextmanager
def room_for(graph: Graph, shapes: Mapping[str, tuple[int, ...]], code: str) -> Iterator[None]:
    """Around a run with inputs of those shapes, by name: CompileError NN0503 in place of a failure
    with that code where some result would have no element though all inputs have."""
    try:
        yield
    except CompileError as failure:
        told = failure.diagnostics[0].code == code
        raise (_too_small(graph, shapes) if told else None) or failure from None


def _too_small(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> CompileError | None:
    if any(0 in shape for shape in shapes.values()):
        return None
    sizes: dict[Symbol, DimLike] = {
        symbol: (shapes[s.value.name][s.axis] - s.offset) // s.factor
        for symbol, s in sources(v for v in graph.inputs if v.name in shapes).items()
    }
    for node in graph.nodes:
        for value in node.outputs:
            for axis, dim in enumerate(value.shape):
                size = substitute(dim, sizes)
                if not isinstance(dim, int) and isinstance(size, int) and size < 1:
                    told = ", ".join(f"{s} = {sizes[s]}" for s in sorted(dim.symbols(), key=str))
                    return error(
                        "NN0503",
                        f"the inputs are too small: {told} leaves nothing of axis {axis} of"
                        f" {value.type}, where {dim} is {size}",
                        node.origin.spans[0] if node.origin.spans else None,
                    )
    return None
