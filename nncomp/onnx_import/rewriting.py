"""A model as it was read, with other numbers in its initialisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx
from onnx import numpy_helper

from nncomp.onnx_import.reading import OnnxFile
from nncomp.onnx_import.tensors import to_array
from nncomp.types import Array


def with_weights(file: OnnxFile, weights: Mapping[str, Array]) -> onnx.ModelProto:
    """The model of the file with these numbers in the initialisers of these names. Nothing else
    differs, except that data from files beside the model stand in it.

    weights: by name, in the initialisers' shapes and types; other names are passed over
    Raises CompileError NN0801, NN0802, NN0001 for data beside the model that cannot be read.
    """
    model = onnx.ModelProto()
    model.CopyFrom(file.proto)
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.name in weights:
            _fill(tensor, weights[tensor.name])
    for number in reversed(range(len(graph.sparse_initializer))):
        name = graph.sparse_initializer[number].values.name
        if name in weights:
            del graph.sparse_initializer[number]
            _fill(graph.initializer.add(name=name), weights[name])
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _fill(tensor, to_array(tensor, file.folder))
    return model


def _fill(tensor: onnx.TensorProto, array: Array) -> None:
    told = (tensor.name, tensor.doc_string, list(tensor.metadata_props))
    tensor.CopyFrom(numpy_helper.from_array(array, told[0]))
    tensor.doc_string = told[1]
    tensor.metadata_props.extend(told[2])


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors of a model, in its subgraphs and functions too."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            graphs += [attribute.g] if attribute.HasField("g") else []
            graphs += attribute.graphs
            yield from [attribute.t] if attribute.HasField("t") else []
            yield from attribute.tensors
