"""A model as a graph: its nodes in order, each brought to the present form of its operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx

from nncomp.collector import collector_paused
from nncomp.dims import Dim, DimLike, Symbol, symbols_in, undecided
from nncomp.errors import CompileError, Diagnostic, did_you_mean, error
from nncomp.ir.builder import Builder, substitute_bodies
from nncomp.ir.graph import Graph, Node, Origin, Parameter, Value
from nncomp.ir.live import live_among
from nncomp.ir.op import InferError, Op
from nncomp.onnx_import import (
    containers,
    control,
    foreign,
    formulas,
    functions,
    initializers,
    mapping,
)
from nncomp.onnx_import.assumptions import assumption, in_words, obligations
from nncomp.onnx_import.attributes import changed_defaults, make_op, read_attributes
from nncomp.onnx_import.contents import Contents, Evaluate
from nncomp.onnx_import.listing import Listing
from nncomp.onnx_import.operation import Operation
from nncomp.onnx_import.order import in_order
from nncomp.onnx_import.reading import OnnxFile
from nncomp.onnx_import.scope import Item, Scope, block_of, home_of, stated_types
from nncomp.onnx_import.signatures import Signatures
from nncomp.onnx_import.survey import names_read, opsets_of, readers_of
from nncomp.onnx_import.tensors import Tensors
from nncomp.onnx_import.upgrade import Call, upgrade
from nncomp.ops import REGISTRY
from nncomp.source import Span
from nncomp.types import Array

MAX_NODES = 1_000_000
MAX_EXPANDED = 50_000  # more than a model writes out, by calls of functions
_CHOOSE = "where an input chooses between branches, give it its value: `--set NAME=VALUE`"
_OF_SIZES = ("NN0205", "NN0206")  # what is told of sizes that do not fit
_ASSUMED = 64  # sizes that one operator may have us take to be equal
_FLOAT_CONTENTS = {"Resize", "Range"}


@dataclass(frozen=True, eq=False)
class Imported:
    """A model as a graph.

    weights: the arrays of the graph's parameters, by path
    metadata: what the model says of itself, without what nncomp has written there
    listing: the text that the nodes' origins point at
    warnings: what was taken to hold
    modules: paths of the blocks that nodes stand in, with their classes where the model says them
    """

    graph: Graph
    weights: Mapping[str, Array] = field(repr=False)
    metadata: Mapping[str, str]
    listing: Listing = field(repr=False)
    warnings: tuple[Diagnostic, ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)


@collector_paused()
def import_model(
    file: OnnxFile,
    evaluate: Evaluate,
    known: Mapping[str, Array] | None = None,
    trainable: Sequence[str] = (),
    *,
    stream: bool = False,
) -> Imported:
    """The model of a file as a graph at the present opset.

    Floating initialisers of rank 1 and more become parameters with their names, except where they
    are settings (the scales of a Resize) or hold infinities (masks); the others are constants.

    evaluate: runs one operator on arrays, for shapes that are computed from constants
    known: contents of inputs, which are constants then (what sizes are computed from must be known)
    trainable: names and patterns of the initialisers that are learnt (by their own names scalars
        and statistics, too); others that would be are buffers
    stream: read weights anew whenever they are asked for, rather than keep them
    Raises CompileError: NN0801 (damaged), NN0802 (data outside the folder), NN0803 (an operator is
    unknown where it must be known), NN0804 (what the graph has not), NN0805 (not well formed), and
    what the operators' shape rules raise, with the node's line in the listing of the model.
    """
    importer = Importer(file, evaluate, known or {})
    importer.stream = stream
    return importer.model(trainable)


class Importer:
    """The state of one import. Its parts are modules of their own, which call back."""

    def __init__(self, file: OnnxFile, evaluate: Evaluate, known: Mapping[str, Array]) -> None:
        self.file = file
        self.known = known
        self.proto = file.proto
        self.listing = Listing(file.name, file.proto)
        self.signatures = Signatures()
        self.contents = Contents(evaluate)
        self.functions = functions.by_name(file.proto)
        self.calling: list[functions.Name] = []
        self.parameters: dict[str, Parameter] = {}
        self.weights: dict[str, Callable[[], Array]] = {}
        self.stream = False
        self.scopes: list[Scope] = []  # those that are being read, outermost first
        self.conditional = 0  # how many branches are around, taken or not whatever sizes are
        self.fixed: set[Symbol] = set()  # of the model's inputs
        self.warnings: dict[str, Diagnostic] = {}
        self.bounded: dict[str, Symbol] = {}
        self.read = names_read(file.proto)
        self.readers = readers_of(file.proto.graph)
        self.count = 0
        self.modules: dict[str, str] = {}

    # --- the model -----------------------------------------------------------------------------

    def model(self, trainable: Sequence[str] = ()) -> Imported:
        proto = self.proto.graph
        scope = Scope(
            Builder(Origin((self.listing.head,))),
            opsets_of(self.proto),
            stated=stated_types(proto),
        )
        self.scopes.append(scope)
        kinds = initializers.Kinds(self.proto, trainable)
        initializers.wait(self, scope, proto, kinds)
        for name in self.known.keys() & {info.name for info in proto.input}:
            scope.waiting.pop(name, None)
            scope.names[name] = scope.b.constant(self.known[name], name=name)
        made = kinds.names | self.known.keys()
        inputs = [self._input(scope, info) for info in proto.input if info.name not in made]
        self.nodes(scope, proto.node)
        outputs: dict[str, Value] = {}
        for info in proto.output:
            if info.name in outputs:
                raise error("NN0805", f"two outputs have the name `{info.name}`")
            outputs[info.name] = self.value(scope, info)
        self._check_names(inputs)
        name = proto.name or self.file.name
        nodes = live_among(scope.b.nodes, outputs.values())
        graph = Graph(name, tuple(inputs), (), tuple(nodes), outputs)
        read = {v for node in graph.nodes for v in node.operands} | set(outputs.values())
        kept = tuple(p for p in self.parameters.values() if p.value in read)
        sizes = symbols_in(d for v in inputs for d in v.shape)
        graph = Graph(
            name,
            graph.inputs,
            kept,
            graph.nodes,
            _renamed(self.proto, outputs),
            obligations=obligations(s for s in self.bounded.values() if s in sizes),
        )
        weights = Tensors({p.path: self.weights[p.path] for p in kept})
        metadata = {p.key: p.value for p in self.proto.metadata_props}
        foreign_keys = {k: v for k, v in metadata.items() if not k.startswith("nncomp.")}
        warnings = tuple(self.warnings.values())
        return Imported(graph, weights, foreign_keys, self.listing, warnings, self.modules)

    def _input(self, scope: Scope, info: onnx.ValueInfoProto) -> Value:
        if not info.name or info.name in scope.names:
            raise error("NN0805", f"the name `{info.name}` does not stand for one input")
        type_ = self.signatures.value(info, f"the input `{info.name}`", None)
        scope.names[info.name] = value = Value(type_, info.name)
        scope.inputs.append(value)
        self.fixed |= symbols_in(type_.shape)
        return value

    def _check_names(self, inputs: Sequence[Value]) -> None:
        for value in inputs:
            if value.name in self.parameters:
                raise error("NN0805", f"`{value.name}` is an input and an initialiser")

    # --- nodes ---------------------------------------------------------------------------------

    def nodes(self, scope: Scope, nodes: Sequence[onnx.NodeProto]) -> None:
        """Reads nodes in order, or in an order in which they can be computed."""
        for node in in_order(nodes):
            self.node(scope, node)

    def node(self, scope: Scope, node: onnx.NodeProto) -> None:
        """Reads one node; its results get their names."""
        self.count += 1
        span = self.listing.span(node)
        if self.count > min(MAX_NODES, self.listing.count + MAX_EXPANDED):
            raise error("NN0004", f"the model expands to over {self.count - 1:,} nodes", span)
        block = block_of(node)
        around = f"{scope.path}." if scope.path else ""
        path = around + home_of(node, block.path, self.readers) if block.path else scope.path
        self.modules |= {around + name: kind for name, kind in block.modules.items()}
        with scope.b.at(Origin((span,) if span else (), path)):
            try:
                results = self._results(scope, node, span, path)
            except CompileError as failure:
                raise failure.at(span) from None
            except InferError as failure:  # from a rule for an older form
                text = f"{node.op_type}: {failure.message}"
                raise error(failure.code, text, span, help=failure.help) from None
        self._bind(scope, node, results, span)

    def _results(
        self, scope: Scope, node: onnx.NodeProto, span: Span | None, path: str
    ) -> Sequence[Item]:
        domain = "" if node.domain == "ai.onnx" else node.domain
        function = self.functions.get((domain, node.op_type, node.overload))
        if function is not None:
            return functions.call(self, scope, node, function, path, span)
        attributes = read_attributes(node, scope.given, span)
        operands = [self.item(scope, name, span) for name in node.input]
        operation = Operation(self, scope, node, attributes, operands, span)
        if (domain, node.op_type) in formulas.FORMULAS:
            return formulas.read_formula(operation)
        cls = REGISTRY.get(node.op_type)
        if domain and (cls is None or cls.domain != domain):
            return foreign.keep(operation)
        if node.op_type in containers.READERS:
            found = containers.read(operation)
            if found is not None:
                return found
        if node.op_type == "SequenceMap":
            return mapping.read_map(operation)
        if node.op_type in control.READERS:
            return control.READERS[node.op_type](operation)
        if domain and cls is not None:
            op = make_op(cls, attributes, self.file.folder, span)
            return operation.become(op, operation.tensors())
        if node.op_type == "Constant":
            return [initializers.constant_node(operation)]
        return self._standard(operation)

    def _standard(self, operation: Operation) -> Sequence[Value]:
        node, scope, span = operation.node, operation.scope, operation.span
        attributes, values = dict(operation.attributes), operation.tensors()
        used = tuple(name in self.read for name in node.output)
        opset = scope.opsets.get("", 1)
        call = Call(scope.b, node.op_type, opset, attributes, values, len(used), used, span)
        cls = REGISTRY.get(node.op_type)
        if cls is not None and not cls.domain:
            for name, default in changed_defaults(cls, opset).items():
                call.attributes.setdefault(name, default)
        results = upgrade(call)
        if results is not None:
            return results
        cls = REGISTRY.get(call.op_type)
        if cls is None or cls.domain:
            return foreign.keep(operation)
        return operation.become(make_op(cls, call.attributes, self.file.folder, span), call.inputs)

    def add(
        self, scope: Scope, op: Op, inputs: Sequence[Value | None], names: tuple[str, ...] = ()
    ) -> Node:
        """Adds a node. Operands of which contents are known get them; what the operator needs of
        sizes is taken to hold. Raises CompileError."""
        floats = op.name in _FLOAT_CONTENTS
        operands = [v and self.contents.told(scope.b, v, floats) for v in inputs]
        for attempt in range(_ASSUMED):
            with undecided() as pairs:
                try:
                    node = scope.b.add(op, operands, names)
                    break
                except CompileError as failure:
                    code = failure.diagnostics[0].code
                    if code not in _OF_SIZES or attempt + 1 == _ASSUMED:
                        raise
                    found = assumption(pairs, self.fixed)
                    if found is None:
                        raise
                    if self.conditional and self._is_bound(*found):
                        raise failure.helped(_CHOOSE) from None
            self._assume(*found, op)
        self.contents.learn(node)
        return node

    def _assume(self, symbol: Symbol, size: DimLike, op: Op) -> None:
        values = {symbol: size}
        if symbol in self.fixed:
            self._say(symbol, size, op)
            self.fixed |= symbols_in([size])
        substitute_bodies(op, values)
        for scope in self.scopes:
            scope.b.substitute(values)
            for value in scope.inputs:
                value.type = value.type.substitute(values)
        self.signatures.substitute(values)
        self.contents.substitute(values)

    def _is_bound(self, symbol: Symbol, size: DimLike) -> bool:
        """Whether the symbol, of an input, is to have a smallest and a largest size."""
        new = size.symbol if isinstance(size, Dim) else None
        return symbol in self.fixed and new is not None and new not in self.fixed

    def _say(self, symbol: Symbol, size: DimLike, op: Op) -> None:
        """A warning, and for a bound the obligation to keep it."""
        new = size.symbol if isinstance(size, Dim) else None
        bound = new is not None and new not in self.fixed
        text = f"`{symbol}` is taken to be {size}: {op.name} needs it"
        if new is not None and bound:
            self.fixed.add(new)
            self.bounded[symbol.name] = new
            text = f"`{symbol}` is taken to be {in_words(new)}: {op.name} needs it"
        self.warnings[text] = Diagnostic("NN0806", text, severity="warning")

    def _bind(
        self, scope: Scope, node: onnx.NodeProto, results: Sequence[Item], span: Span | None
    ) -> None:
        for number, name in enumerate(node.output):
            if not name:
                continue
            if number >= len(results):
                if name not in self.read:
                    continue
                raise error(
                    "NN0805",
                    f"{node.op_type} gives {len(results)} results, `{name}` is one more",
                    span,
                )
            if name in scope.names or name in scope.waiting:
                raise error("NN0805", f"two results have the name `{name}`", span)
            scope.names[name] = results[number]

    # --- names ---------------------------------------------------------------------------------

    def item(self, scope: Scope, name: str, span: Span | None) -> Item | None:
        """What a node reads by that name; None for an operand that is left out."""
        if not name or name in scope.absent:
            return None
        found = scope.find(name)
        if found is None:
            raise error(
                "NN0805",
                f"`{name}` is read, and nothing in the model gives it",
                span,
                help=did_you_mean(name, scope.names),
            )
        return found

    def value(self, scope: Scope, info: onnx.ValueInfoProto) -> Value:
        """The value that is the result of a graph. CompileError NN0804, NN0805."""
        item = self.item(scope, info.name, None)
        if item is None:
            raise error("NN0804", f"the result `{info.name}` is left out")
        kind = info.type.WhichOneof("value")
        is_container = kind in ("optional_type", "sequence_type")
        wanted = self.signatures.stated(info) if is_container else None
        return containers.whole(self, scope, item, wanted)


def _renamed(model: onnx.ModelProto, outputs: Mapping[str, Value]) -> dict[str, Value]:
    """The outputs by the names that they had in the program, for a model that nncomp has built."""
    names = initializers.output_names(model)
    renamed = {names.get(name, name): value for name, value in outputs.items()}
    return renamed if len(renamed) == len(outputs) else dict(outputs)
