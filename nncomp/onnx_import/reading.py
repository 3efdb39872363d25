"""Opening an ONNX file: bytes to a model, and what can be said about it before it is imported."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from nncomp.errors import error
from nncomp.files import PathLike, read_bytes
from nncomp.onnx_import.external import Folder


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """A model as it was read.

    name: of the file, for messages; folder: where its external data may lie
    """

    name: str
    proto: onnx.ModelProto = field(repr=False)
    folder: Folder = field(repr=False)

    @property
    def external_data(self) -> bool:
        """Whether weights lie in files beside it."""
        tensors = self.proto.graph.initializer
        return any(t.data_location == onnx.TensorProto.EXTERNAL for t in tensors)


def read_model(path: PathLike) -> OnnxFile:
    """The model of a file. Raises CompileError NN0001, NN0801."""
    return parse_model(read_bytes(path), os.fspath(path), Folder(path))


def parse_model(data: bytes, name: str = "<model>", folder: Folder | None = None) -> OnnxFile:
    """The model that the bytes hold. Raises CompileError NN0801 if they hold none."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, ValueError) as failure:  # ValueError: text that is not UTF-8
        raise error(
            "NN0801",
            f"{name} is no ONNX model, or a damaged one",
            help=f"protobuf says: {' '.join(str(failure).split()):.200}",
        ) from None
    if not proto.HasField("graph"):
        raise error("NN0801", f"{name} is no ONNX model: it has no graph")
    _require_text(proto, name)
    _move_weights(proto)
    return OnnxFile(name, proto, folder or Folder(None))


def _move_weights(model: onnx.ModelProto) -> None:
    """Turns `Constant` nodes into initialisers where a graph has none: paddle2onnx and others write
    all weights so."""
    graph = model.graph
    if graph.initializer or graph.sparse_initializer:
        return
    others = []
    for node in graph.node:
        tensor = _tensor_of(node)
        if tensor is None:
            others.append(node)
        else:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = node.output[0]
    if graph.initializer:
        graph.ClearField("node")
        graph.node.extend(others)
        model.ir_version = max(model.ir_version, _IR_OF_INITIALISERS)


_IR_OF_INITIALISERS = 4  # from which on they need not be inputs, too


def _tensor_of(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """What a `Constant` node holds if it may be a weight: floats of rank 1 or more."""
    if node.op_type != "Constant" or node.domain not in ("", "ai.onnx"):
        return None
    if len(node.attribute) != 1 or len(node.output) != 1 or not node.output[0]:
        return None
    attribute = node.attribute[0]
    if attribute.name != "value" or not attribute.HasField("t") or attribute.ref_attr_name:
        return None
    return attribute.t if attribute.t.dims and attribute.t.data_type in _FLOATS else None


_FLOATS = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
    onnx.TensorProto.DOUBLE,
}


def _require_text(model: onnx.ModelProto, name: str) -> None:
    """CompileError NN0801 for a name that is not UTF-8, which protobuf lets pass."""
    pending: list[Message] = [model]
    while pending:
        message = pending.pop()
        if isinstance(message, onnx.TensorProto):  # to list its fields would copy its data
            texts: list[object] = [message.name, message.doc_string]
            pending += message.external_data
        else:
            texts = []
            for field, value in message.ListFields():
                if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                    pending += [value] if isinstance(value, Message) else value
                elif field.type == FieldDescriptor.TYPE_STRING:
                    texts += [value] if isinstance(value, str | bytes) else value
        for text in texts:
            if not isinstance(text, str):
                raise error("NN0801", f"{name} is damaged: {text!r:.80} is no UTF-8 text")
