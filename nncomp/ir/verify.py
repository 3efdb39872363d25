"""The verifier: whether a graph is well formed. Passes are checked with it in tests."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakSet

from nncomp.dims import Dim, DimLike, Symbol, equal
from nncomp.errors import CompileError, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.sizes import sources
from nncomp.types import TensorType, is_container


def verify(graph: Graph, before: Graph | None = None) -> None:
    """Raises CompileError NN0701 unless all of this holds (linear in nodes and operands):

    * inputs have distinct names, parameters distinct paths, and no value is defined twice
    * each operand is an input, a parameter or a result of an earlier node of this graph
    * each node has the operands that its operator declares, and results of the inferred types
    * outputs and updates are values of this graph; an update has its parameter's type
    * defaults belong to rank-0 inputs
    * obligations are about dims that the inputs' shapes tell
    * the bodies of control flow are such graphs too, closed: without parameters, updates
      and obligations

    before: a valid graph that this one was made from; nodes are immutable, so the types of those
        that both share are not inferred again
    """
    known = set() if before is None else set(before.nodes)
    defined = _boundary(graph)
    members = set(graph.nodes)
    newest = Symbol("_").serial  # symbols made after this one come from inferring again
    builder = Builder()
    for position, node in enumerate(graph.nodes):
        place = _Place(position, node)
        _operands(node, place, defined, members)
        for body in node.op.bodies:
            _verify_body(body, place, node)
        if node not in known:
            _results(node, place, newest, builder)
        for value in node.outputs:
            if value in defined:
                raise _invalid(f"{place} stands in the graph twice", node)
            defined.add(value)
    _exits(graph, defined)


def _verify_body(body: Body, place: _Place, node: Node) -> None:
    if body in _valid:
        return
    if body.parameters or body.updates or body.obligations:
        raise _invalid(f"a body of {place} has parameters or obligations of its own", node)
    if not 0 <= body.captures <= len(body.inputs):
        raise _invalid(
            f"a body of {place} has {len(body.inputs)} inputs and {body.captures} captures", node
        )
    verify(body)
    _valid.add(body)


_valid: WeakSet[Body] = WeakSet()  # bodies never change, and outlive most passes


def _boundary(graph: Graph) -> set[Value]:
    """The values given from outside."""
    defined: set[Value] = set()
    for what, names, values in (
        ("input", [v.name for v in graph.inputs], graph.inputs),
        ("parameter", [p.path for p in graph.parameters], [p.value for p in graph.parameters]),
    ):
        seen: set[str] = set()
        for name, value in zip(names, values, strict=True):
            if not name:
                raise _invalid(f"an {what} has no name" if what == "input" else "an empty path")
            if name in seen:
                raise _invalid(f"two {what}s have the name `{name}`")
            if value in defined:
                raise _invalid(f"the {what} `{name}` shares its value with another")
            if value.node is not None:
                raise _invalid(f"the {what} `{name}` is also a result of a node", value.node)
            seen.add(name)
            defined.add(value)
    inputs = {v.name: v for v in graph.inputs}
    for name in graph.defaults:
        if name not in inputs:
            raise _invalid(f"a default is given for `{name}`, which is no input")
        if inputs[name].rank:
            raise _invalid(f"a default is given for `{name}`, which has rank {inputs[name].rank}")
    if graph.obligations:
        known = sources(graph.inputs)
        for obligation in graph.obligations:
            for symbol in obligation.symbols():
                if symbol not in known:
                    raise _invalid(
                        f"the obligation `{obligation}` needs {symbol}, "
                        "which no input's shape tells"
                    )
    return defined


def _operands(node: Node, place: _Place, defined: set[Value], members: set[Node]) -> None:
    for number, value in enumerate(node.inputs):
        if value is None or value in defined:
            continue
        which = f"operand {number} of {place}"
        if value.node is None:
            raise _invalid(f"{which}, {value!r}, is no input or parameter of this graph", node)
        if value.node is node:
            raise _invalid(f"{which} is its own result", node)
        if value.node in members:
            raise _invalid(f"{which}, {value!r}, is computed by a later node", node)
        raise _invalid(f"{which}, {value!r}, is computed by a node that is not in the graph", node)


def _results(node: Node, place: _Place, newest: int, builder: Builder) -> None:
    for index, value in enumerate(node.outputs):
        if value.node is not node or value.index != index:
            raise _invalid(f"result {index} of {place} does not point back to it", node)
    try:
        inferred = builder.infer(node.op, node.inputs)
    except CompileError as failure:
        first = failure.diagnostics[0]
        raise _invalid(f"{place} does not take its operands: {first.message}", node) from None
    if len(inferred) != len(node.outputs):
        raise _invalid(
            f"{place} has {len(node.outputs)} results, {node.op.name} gives {len(inferred)}", node
        )
    for index, (value, type_) in enumerate(zip(node.outputs, inferred, strict=True)):
        if not _same_type(value.type, type_, newest):
            raise _invalid(
                f"result {index} of {place} is recorded as {value.type} and inferred as {type_}",
                node,
            )


def _exits(graph: Graph, defined: set[Value]) -> None:
    for name, value in graph.outputs.items():
        if value not in defined:
            raise _invalid(f"the output `{name}`, {value!r}, is not computed in this graph")
    parameters = {p.path: p.value for p in graph.parameters}
    for path, value in graph.updates.items():
        if value not in defined:
            raise _invalid(f"the update of `{path}`, {value!r}, is not computed in this graph")
        if path not in parameters:
            raise _invalid(f"an update is given for `{path}`, which is no parameter")
        if not _same_type(parameters[path].type, value.type):
            raise _invalid(
                f"the update of `{path}` is {value.type}, the parameter {parameters[path].type}"
            )


def _same_type(recorded: TensorType, other: TensorType, newest: int | None = None) -> bool:
    if recorded == other:
        return True
    if is_container(recorded) or is_container(other):
        return False
    return (
        recorded.dtype is other.dtype
        and recorded.rank == other.rank
        and all(
            a == b or equal(a, b) is True or (newest is not None and _is_newer([b], newest))
            for a, b in zip(recorded.shape, other.shape, strict=True)
        )
    )


def _is_newer(dims: Iterable[DimLike], newest: int) -> bool:
    """Whether a dim holds a symbol made just now: a size that only the run knows is a new one
    each time it is inferred."""
    return any(
        symbol.serial > newest for dim in dims if isinstance(dim, Dim) for symbol in dim.symbols()
    )


class _Place:
    """Where a node stands, in words once they are needed."""

    __slots__ = ("node", "position")

    def __init__(self, position: int, node: Node) -> None:
        self.position = position
        self.node = node

    def __str__(self) -> str:
        scope = self.node.origin.scope
        return f"node {self.position} ({self.node.op.name}{f' in {scope}' if scope else ''})"


def _invalid(message: str, node: Node | None = None) -> CompileError:
    spans = node.origin.spans if node is not None else ()
    return error("NN0701", message, spans[0] if spans else None)
