"""What each region declares, takes and gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from nncomp.decompile.regions import Region
from nncomp.decompile.scopes import is_literal
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.naming import Names, module_path

# What an operand is called whose parameter has no name of its own.
_ROLES: dict[str, tuple[str, ...]] = {
    "Conv": ("x", "weight", "bias"),
    "ConvTranspose": ("x", "weight", "bias"),
    "MatMul": ("weight", "weight"),
    "Transpose": ("weight",),
    "Add": ("bias", "bias"),
    "Mul": ("scale", "scale"),
    "Gather": ("weight", "index"),
    "LayerNormalization": ("x", "weight", "bias"),
    "RMSNormalization": ("x", "weight"),
    "BatchNormalization": ("x", "weight", "bias", "running_mean", "running_var"),
    "InstanceNormalization": ("x", "weight", "bias"),
    "PRelu": ("x", "slope"),
    "LSTM": ("x", "weight_ih", "weight_hh", "bias"),
    "GRU": ("x", "weight_ih", "weight_hh", "bias"),
    "RNN": ("x", "weight_ih", "weight_hh", "bias"),
}


def connect(root: Region, graph: Graph, stays: Callable[[Region], bool]) -> None:
    """Fills in the parameters, inputs and outputs of all regions, and opens those without inputs
    and those that are not to stay."""
    while True:
        _declare(root, graph)
        _fill(root, graph)
        if not _opened(root, stays):
            return


def _declare(root: Region, graph: Graph) -> None:
    chains: dict[Node, tuple[Region, ...]] = {}
    _collect(root, (), chains)
    for region in root.regions():
        region.parameters = {}
    uses = graph.uses
    names = {region: Names(()) for region in root.regions()}
    taken: set[str] = set()
    kept = {p.path for p in graph.parameters if module_path(p.path) is not None}
    for parameter in graph.parameters:
        value, path = parameter.value, parameter.path
        readers = [node for node in uses.get(value, ()) if node in chains]
        around = _shared([chains[node] for node in readers]) or (root,)
        own = module_path(path) is not None
        owner = next((r for r in reversed(around) if _holds(r, path)), root) if own else around[-1]
        name = path.removeprefix(f"{owner.path}.") if owner.path else path
        if not own and owner.path:
            name = names[owner].fresh(_role(value, readers))
            while f"{owner.path}.{name}" in taken | kept:
                name = names[owner].fresh(name)
        taken.add(f"{owner.path}.{name}" if owner.path else name)
        owner.parameters[value] = name


def _collect(
    region: Region, around: tuple[Region, ...], chains: dict[Node, tuple[Region, ...]]
) -> None:
    here = (*around, region)
    for item in region.items:
        if isinstance(item, Region):
            item.name = item.path.removeprefix(f"{region.path}.") if region.path else item.path
            _collect(item, here, chains)
        else:
            chains[item] = here


def _shared(chains: list[tuple[Region, ...]]) -> tuple[Region, ...]:
    if not chains:
        return ()
    depth = 0
    while all(len(c) > depth and c[depth] is chains[0][depth] for c in chains):
        depth += 1
    return chains[0][:depth]


def _holds(region: Region, path: str) -> bool:
    return not region.path or path.startswith(f"{region.path}.")


def _role(value: Value, readers: Iterable[Node]) -> str:
    copied = re.search(r"::\d+::([A-Za-z_]\w*)$", value.name)
    for node in readers:
        if copied and node.op.name in ("Add", "Mul"):
            return copied[1]
        roles = _ROLES.get(node.op.name, ())
        place = node.inputs.index(value)
        if place < len(roles) and roles[place] != "x":
            return roles[place]
    return "parameter"


def _fill(root: Region, graph: Graph) -> None:
    results = graph.result_values
    parameters = {p.value for p in graph.parameters}
    users: Mapping[Value, tuple[Node, ...]] = graph.uses
    for region in root.regions():
        inside = set(region.nodes())
        declared = {v for inner in region.regions() for v in inner.parameters}
        taken: dict[Value, None] = {}
        given: dict[Value, None] = {}
        for node in region.nodes():
            for value in node.operands:
                own = value in declared or value.node in inside
                if not own and not (value.node is not None and is_literal(value.node)):
                    taken[value] = None
            for value in node.outputs:
                outside = any(user not in inside for user in users.get(value, ()))
                if outside or value in results:
                    given[value] = None
        region.inputs = sorted(taken, key=lambda v: (v in parameters, not v.type.dtype.is_float))
        region.outputs = [*given]


def _opened(region: Region, stays: Callable[[Region], bool]) -> bool:
    """Opens the regions that take nothing, which no block can be; whether there were any."""
    opened = False
    items: list[Node | Region] = []
    for item in region.items:
        if isinstance(item, Region):
            opened |= _opened(item, stays)
            if not item.inputs or not item.outputs or not stays(item):
                items += item.items
                opened = True
                continue
        items.append(item)
    region.items = items
    return opened
