"""Writes a graph of standard operators as an ONNX model.

The same graph gives the same bytes. The opset is the lowest from 17 on that expresses the graph as
it is: passes may have put one operator of a newer opset for several of an older one, and an opset
that is asked for has those again (`legalize`). The IR version is the lowest that may carry it. Each
node's `doc_string` says where it comes from (`source`) and which rewrites made it (`history`). A
graph with parameters becomes a model whose parameters are inputs, whose next values are outputs;
`docs/step_graph.md` describes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

from nncomp.backends.ort.blocked.operators import DOMAIN, Blocked
from nncomp.backends.ort.blocked.processor import target_metadata
from nncomp.backends.ort.manifest import MANIFEST_KEY, OUTPUTS_KEY, step_manifest
from nncomp.backends.ort.naming import DimNames, Names, constant_hint, scoped
from nncomp.backends.ort.obligations import OBLIGATIONS_KEY, describe
from nncomp.backends.ort.opsets import VERSIONS, Form, spell
from nncomp.backends.ort.protos import (
    attribute_proto,
    plain_attribute,
    provenance,
    tensor_proto,
    type_proto,
)
from nncomp.backends.ort.schemas import ONNX_DTYPES, schema
from nncomp.backends.ort.versions import choose_opset
from nncomp.collector import collector_paused
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.live import live_nodes
from nncomp.ir.op import Data
from nncomp.ir.opaque import Opaque
from nncomp.types import Array, DType, TensorType

_MAX_IR_VERSION = 13  # that onnxruntime 1.31 loads


@collector_paused()
def emit(
    graph: Graph,
    *,
    opset: int | None = None,
    metadata: Mapping[str, str] | None = None,
    losses: Sequence[str] = (),
    predictions: Sequence[str] = (),
) -> onnx.ModelProto:
    """The graph as an ONNX model.

    graph: of standard operators only (`legalize` sees to that)
    opset: 17 to 26; None for the lowest that expresses the graph
    metadata: further `metadata_props` of the model
    losses: outputs of a step graph that are losses (of those without, `loss`), for the manifest
    predictions: outputs of an evaluation graph that are the model's own, for the manifest

    CompileError NN0601 where the opset cannot express a node, NN0603 for an operator that is not
    ONNX's.
    """
    writer = _Writer(graph, choose_opset(graph, opset))
    for node in live_nodes(graph):
        writer.write(node)
    return writer.model(metadata or {}, losses, predictions)


def to_bytes(model: onnx.ModelProto) -> bytes:
    """The model serialised so that equal models give equal bytes."""
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized


def ir_version(opset: int) -> int:
    """The lowest IR version that may carry the opset (onnx's table of releases)."""
    versions = [row[1] for row in onnx.helper.VERSION_TABLE if row[2] == opset]
    return min(min(versions), _MAX_IR_VERSION)


@dataclass(frozen=True)
class _Port:
    """A graph input or output: the name in the source and the name in the model."""

    name: str
    written: str


class _Writer:
    """Collects the parts of one model."""

    def __init__(self, graph: Graph, opset: int) -> None:
        self.graph = graph
        self.opset = opset
        self.names = Names()
        self.dims = DimNames()
        self.values: dict[Value, str] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.proto = helper.make_model(
            onnx.GraphProto(),
            producer_name="nncomp",
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=ir_version(opset),
        )
        self._shared: dict[Data, str] = {}
        self._node_names = Names()
        self.block: int | None = None  # of the blocked operators, if there are any
        self.foreign: dict[str, int] = {}  # domains of opaque operators, with their versions
        self.stated: list[onnx.ValueInfoProto] = []  # their results, which none can infer
        self.inputs = [self._declare(v.name, v) for v in graph.inputs]
        self.parameters = [self._declare(p.path, p.value) for p in graph.parameters]
        self._aliases: list[tuple[Value, str]] = []
        self.outputs = [self._promise(name, value) for name, value in graph.outputs.items()]
        self.updates = [
            _Port(path, self._promise(f"next.{path}", value).written)
            for path, value in graph.updates.items()
        ]

    def _declare(self, name: str, value: Value) -> _Port:
        written = self.names.take(name)
        self.values[value] = written
        return _Port(name, written)

    def _promise(self, name: str, value: Value) -> _Port:
        """Reserves an output's name: the value's own where it is a node's result not named yet,
        else that of an Identity."""
        written = self.names.take(name)
        if value.node is None or isinstance(value.node.op, Constant) or value in self.values:
            self._aliases.append((value, written))
        else:
            self.values[value] = written
        return _Port(name, written)

    def write(self, node: Node) -> None:
        if isinstance(node.op, Constant):
            return  # written where it is read
        if isinstance(node.op, Blocked):
            form = Form(node.op.spelling, node.inputs, node.op.written())
        elif isinstance(node.op, Opaque):
            form = Form(node.op.operator, node.inputs, dict(node.op.settings))
        elif node.op.domain:
            form = Form(node.op.name, node.inputs, node.op.attributes())
        else:
            form = spell(node, self.opset)
        proto = onnx.NodeProto(op_type=form.op_type)
        if isinstance(node.op, Blocked):
            proto.domain = node.op.domain
            self.block = node.op.block
        elif isinstance(node.op, Opaque):
            proto.domain = node.op.home
            self.foreign[node.op.home] = node.op.version
        elif node.op.domain:
            proto.domain = node.op.domain
            self.foreign[node.op.domain] = VERSIONS[node.op.domain]
        proto.input.extend(self._name(value) for value in form.inputs)
        proto.output.extend(self._results(node))
        proto.name = self._node_names.take(scoped(node, node.op.name))
        proto.attribute.extend(self._attributes(node, form))
        proto.doc_string = provenance(node)
        self.nodes.append(proto)
        if isinstance(node.op, Opaque):
            for name, value in zip(proto.output, node.outputs, strict=False):
                if name and value not in self.graph.result_values:
                    self.stated.append(self._value_info(name, value.type))

    def _body(self, body: Body, captured: Sequence[Value | None]) -> onnx.GraphProto:
        """A body of control flow. Captures are names of the graph around; a result that is no
        node's own, or is given twice, goes through an Identity."""
        around = self.graph, self.nodes, self.stated
        self.graph, self.nodes, self.stated = body, [], []
        given = body.inputs[: len(body.inputs) - body.captures]
        for inner, outer in zip(body.inputs[len(given) :], captured, strict=True):
            self.values[inner] = self._name(outer)
        for value in given:
            self.values[value] = self.names.take(f"{body.name}/{value.name}")
        nodes = live_nodes(body)
        for node in nodes:
            self._forget(node)
        for node in nodes:
            self.write(node)
        own = {v for node in nodes if not isinstance(node.op, Constant) for v in node.outputs}
        outputs = []
        for key, value in body.outputs.items():
            name = self._name(value)
            if value not in own:
                name = self.names.take(f"{body.name}/{key}")
                identity = helper.make_node("Identity", [self._name(value)], [name])
                identity.name = self._node_names.take(f"output/{name}")
                self.nodes.append(identity)
            own.discard(value)
            outputs.append(self._value_info(name, value.type))
        inputs = [self._value_info(self.values[v], v.type) for v in given]
        proto = helper.make_graph(self.nodes, body.name, inputs, outputs, value_info=self.stated)
        self.graph, self.nodes, self.stated = around
        return proto

    def _forget(self, node: Node) -> None:
        """A body may stand in several nodes: its values get new names in each."""
        if not isinstance(node.op, Constant):
            for value in node.outputs:
                self.values.pop(value, None)

    def _results(self, node: Node) -> list[str]:
        outputs = list(node.outputs)
        whole = node.op.results()[-1].variadic  # none may be left out, though none reads it
        declared = schema(node.op.name, self.opset)
        needed = declared.min_output if declared is not None else 1
        while len(outputs) > needed and not whole and not self._is_used(outputs[-1]):
            outputs.pop()
        names = []
        for value in outputs:
            if value not in self.values:
                used = whole or value.index < needed or self._is_used(value)
                hint = value.name
                if not hint and len(node.op.results()) > 1 and value.index:
                    hint = f"{node.op.name}.{_result_name(node, value.index)}"
                self.values[value] = self.names.take(scoped(node, hint)) if used else ""
            names.append(self.values[value])
        return names

    def _is_used(self, value: Value) -> bool:
        return self.graph.use_count(value) > 0

    def _name(self, value: Value | Array | None) -> str:
        if value is None:
            return ""
        if not isinstance(value, Value):
            return self._initializer(Data(value), "")
        if value not in self.values:
            assert value.node is not None, f"{value} is not of this graph"
            assert isinstance(value.node.op, Constant), f"{value} is read before it is computed"
            self.values[value] = self._initializer(value.node.op.value, value.name)
        return self.values[value]

    def _initializer(self, data: Data, hint: str) -> str:
        if not hint and data in self._shared:
            return self._shared[data]
        name = self.names.take(hint or constant_hint(data.array))
        # written in place: a list of tensors would be copied into the model, weights and all
        array, tensor = data.array, self.proto.graph.initializer.add()
        if DType.of(array).is_special:
            tensor.CopyFrom(tensor_proto(array, name))
            return self._shared.setdefault(data, name)
        tensor.name = name
        tensor.data_type = ONNX_DTYPES[DType.of(array)]
        tensor.dims.extend(array.shape)
        tensor.raw_data = numpy_helper.tobytes_little_endian(array)
        self._shared.setdefault(data, name)
        return name

    def _attributes(self, node: Node, form: Form) -> list[onnx.AttributeProto]:
        if node.op.domain:
            return [plain_attribute(name, value) for name, value in form.attributes.items()]
        known = schema(form.op_type, self.opset)
        assert known is not None
        return [
            helper.make_attribute(name, self._body(value, _captured(node, value)))
            if isinstance(value, Body)
            else attribute_proto(name, value, known.attributes[name])
            for name, value in form.attributes.items()
            if value is not None
        ]

    def model(
        self, metadata: Mapping[str, str], losses: Sequence[str], predictions: Sequence[str]
    ) -> onnx.ModelProto:
        for value, written in self._aliases:
            source = self._name(value)
            name = self._node_names.take(f"output/{written}")
            self.nodes.append(helper.make_node("Identity", [source], [written], name=name))
        graph = self.graph
        inputs = [
            self._value_info(port.written, value.type)
            for port, value in zip(
                self.inputs + self.parameters,
                [*graph.inputs, *(p.value for p in graph.parameters)],
                strict=True,
            )
        ]
        outputs = [
            self._value_info(port.written, value.type)
            for port, value in zip(self.outputs + self.updates, graph.results, strict=True)
        ]
        proto = self.proto.graph
        proto.name = graph.name or "model"
        proto.node.extend(self.nodes)
        proto.input.extend(inputs)
        proto.output.extend(outputs)
        proto.value_info.extend(self.stated)
        target = {}
        if self.block:
            self.proto.opset_import.append(helper.make_opsetid(DOMAIN, 1))
            target = target_metadata(self.block)
        for domain, version in self.foreign.items():
            if domain:
                self.proto.opset_import.append(helper.make_opsetid(domain, version))
        own = self._own_metadata(losses, predictions)
        helper.set_model_props(self.proto, {**metadata, **target, **own})
        return self.proto

    def _own_metadata(self, losses: Sequence[str], predictions: Sequence[str]) -> dict[str, str]:
        found = self._state_and_names(losses, predictions)
        if self.graph.obligations:
            inputs = {port.name: port.written for port in self.inputs}
            obligations = describe(self.graph, inputs, self.dims)
            found[OBLIGATIONS_KEY] = json.dumps(obligations, ensure_ascii=False)
        return found

    def _state_and_names(self, losses: Sequence[str], predictions: Sequence[str]) -> dict[str, str]:
        if self.graph.parameters:
            written = {
                "inputs": {port.name: port.written for port in self.inputs},
                "parameters": {port.name: port.written for port in self.parameters},
                "outputs": {port.name: port.written for port in self.outputs},
                "updates": {port.name: port.written for port in self.updates},
            }
            manifest = step_manifest(self.graph, written, losses, predictions, self.dims)
            return {MANIFEST_KEY: json.dumps(manifest, ensure_ascii=False)}
        renamed = {port.written: port.name for port in self.outputs if port.written != port.name}
        return {OUTPUTS_KEY: json.dumps(renamed, ensure_ascii=False)} if renamed else {}

    def _value_info(self, name: str, type_: TensorType) -> onnx.ValueInfoProto:
        return helper.make_value_info(name, type_proto(type_, self.dims.shape))


def _captured(node: Node, body: Body) -> tuple[Value | None, ...]:
    return node.inputs[len(node.inputs) - body.captures :]


def _result_name(node: Node, index: int) -> str:
    formal = node.op.results()
    last = formal[min(index, len(formal) - 1)]
    return f"{last.name}.{index}" if last.variadic else last.name
