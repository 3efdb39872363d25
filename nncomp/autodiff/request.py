"""A graph of a loss and its gradients, asked for by names: what `nncomp grad` writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from nncomp.autodiff.expand import expand_gradients
from nncomp.dims import Symbol, symbols_in
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Origin, Value
from nncomp.ir.rebuild import ancestors
from nncomp.ops.grad import Grad
from nncomp.types import is_container, is_number

PREFIX = "grad/"
_MOST = 8  # names that an error lists


@dataclass(frozen=True, eq=False)
class Request:
    """A loss of a graph, and by name what it is to be differentiated with respect to."""

    graph: Graph
    name: str
    loss: Value
    wrt: Mapping[str, Value]

    def gradients(self) -> Graph:
        """The graph of the loss, under its name, and of the gradients, expanded: that of `x` is
        the output `grad/x`, zeros where the loss does not depend on x.

        Of the graph only what these need is left; it updates nothing. Raises CompileError NN0401.
        """
        b = Builder(self.loss.node.origin if self.loss.node else Origin())
        b.nodes = list(ancestors(self.loss, *self.wrt.values()))
        outputs = {self.name: self.loss}
        found = b.multi(Grad(), self.loss, *self.wrt.values())
        outputs |= {PREFIX + name: g for name, g in zip(self.wrt, found, strict=True)}
        graph = replace(
            self.graph,
            name=f"{self.graph.name}.grad",
            nodes=tuple(b.nodes),
            outputs=outputs,
            updates={},
        )
        return _needed(expand_gradients(graph))


def request(graph: Graph, loss: str, wrt: Iterable[str] | None = None) -> Request:
    """Finds the loss and what `wrt` names in a graph.

    loss: an output, or a value by its name in the program (`h`, or `block.h`)
    wrt: each a parameter's path, a block's (all learnt parameters below), an input, an output or
        another value by its name, or a pattern over parameters and inputs (`conv*.weight`); None
        for all learnt parameters
    Raises CompileError NN0402; NN0406 where nothing, or more than one value, has a name; NN0401
    for what is no floating tensor.
    """
    value = find(graph, loss)
    if value is None:
        raise unknown([graph], "loss", loss)
    if not is_number(value.type):
        raise error(
            "NN0402",
            f"a loss is one floating number, `{loss}` is {value.type}",
            help=scalars_of(graph),
        )
    chosen = _learnt(graph) if wrt is None else {}
    for text in wrt or ():
        chosen |= _chosen(graph, text)
    if not chosen:
        raise error(
            "NN0406",
            f"{graph.name} has no parameter to differentiate with respect to",
            help=f"name inputs: {_listed(v.name for v in graph.inputs)}",
        )
    for name, x in chosen.items():
        if is_container(x.type) or not x.type.dtype.is_float:
            raise error("NN0401", f"there is no gradient with respect to `{name}`, {x.type}")
    return Request(graph, loss, value, chosen)


def find(graph: Graph, name: str) -> Value | None:
    """The output, or the value that the program gives the name. Raises CompileError NN0406 if
    several have it."""
    return graph.outputs.get(name) or _by_name(_values(graph), name)


def scalars_of(graph: Graph) -> str | None:
    """A help line: the outputs that can be a loss."""
    found = [name for name, v in graph.outputs.items() if is_number(v.type)]
    return f"scalar outputs are {_listed(found)}" if found else None


def _learnt(graph: Graph) -> dict[str, Value]:
    return {p.path: p.value for p in graph.parameters if p.kind == "param"}


def _chosen(graph: Graph, text: str) -> dict[str, Value]:
    """What one name or pattern stands for."""
    parameters = {p.path: p.value for p in graph.parameters}
    inputs = {v.name: v for v in graph.inputs}
    for named in (parameters, inputs, graph.outputs):
        if text in named:
            return {text: named[text]}
    below = {path: v for path, v in _learnt(graph).items() if path.startswith(f"{text}.")}
    if below:
        return below
    value = _by_name(_values(graph), text)
    if value is not None:
        return {text: value}
    given = {name: v for name, v in inputs.items() if name not in graph.defaults}
    matching = {
        name: v
        for name, v in (_learnt(graph) | given).items()
        if fnmatchcase(name, text) and v.type.dtype.is_float
    }
    if not matching:
        unlearnt = [path for path in parameters if path.startswith(f"{text}.")]
        if unlearnt:
            raise error(
                "NN0406",
                f"`{text}` of {graph.name} has nothing that is learnt, only buffers",
                help=f"a buffer is meant by its own name: {_listed(unlearnt)}",
            )
        blocks = {b for path in parameters for b in _around(path)}
        known = [*parameters, *given, *blocks]
        raise unknown([graph], "parameter, input or value", text, known)
    return matching


def _values(graph: Graph) -> dict[str, list[Value]]:
    """The values of nodes by the names that the program gives them: `h`, and `block.h` for each
    block around."""
    found: dict[str, list[Value]] = {}
    for node in graph.nodes:
        for value in node.outputs:
            if value.name:
                for scope in ("", *_around(f"{node.origin.scope}.")):
                    name = f"{scope}.{value.name}" if scope else value.name
                    found.setdefault(name, []).append(value)
    return found


def _around(path: str) -> list[str]:
    """The blocks around what the path names, outermost first."""
    parts = path.split(".")[:-1]
    return [".".join(parts[: i + 1]) for i in range(len(parts)) if parts[i]]


def _by_name(values: Mapping[str, list[Value]], name: str) -> Value | None:
    found = values.get(name, [])
    if len(found) > 1:
        full: dict[Value, str] = {}
        for other, holders in values.items():
            if len(holders) == 1 and holders[0] in found:
                full.setdefault(holders[0], other)
        raise error(
            "NN0406",
            f"{len(found)} values have the name `{name}`",
            help=f"with the block's path: {_listed(full.values())}" if full else None,
        )
    return found[0] if found else None


def unknown(
    graphs: Sequence[Graph], what: str, name: str, known: Iterable[str] = ()
) -> CompileError:
    """The error for a name that is none in any of the graphs; `known` are likely ones, by default
    the outputs."""
    likely = [*known] or [output for graph in graphs for output in graph.outputs]
    values = [value for graph in graphs for value in _values(graph)]
    return error(
        "NN0406",
        f"{graphs[0].name} has no {what} `{name}`",
        help=did_you_mean(name, [*likely, *values]) or f"it has {_listed(likely)}",
    )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(f"`{name}`" for name in names[:_MOST])
    return f"{shown}, …" if len(names) > _MOST else shown


def _needed(graph: Graph) -> Graph:
    """Without parameters and inputs that are not read, but for inputs that sizes come from."""
    read = {*graph.results, *(v for node in graph.nodes for v in node.operands)}
    inside = [*read, *(v for node in graph.nodes for v in node.outputs)]
    sizes = _symbols(inside)
    inputs = [v for v in graph.inputs if v in read]
    for value in graph.inputs:
        if value not in read and _symbols([value]) & sizes - _symbols(inputs):
            inputs.append(value)
    kept = [v for v in graph.inputs if v in inputs]
    return replace(
        graph,
        inputs=tuple(kept),
        parameters=tuple(p for p in graph.parameters if p.value in read),
        defaults={v.name: graph.defaults[v.name] for v in kept if v.name in graph.defaults},
    )


def _symbols(values: Iterable[Value]) -> set[Symbol]:
    return symbols_in(d for v in values for d in v.shape)
