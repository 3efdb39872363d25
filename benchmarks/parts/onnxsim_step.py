"""Training steps by onnxsim's `compile_training_loop`, the peer that trains on onnxruntime, too."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxsim
from onnx import TensorProto, helper, numpy_helper

from nncomp.types import Array
from parts.networks import CLASSES, Network

_OPTIMIZERS = {"adam": "adam", "momentum": "sgd_momentum"}


def _with_loss(row: Network) -> onnx.ModelProto:
    """Our inference graph of a classifier for the row's batch, and its cross-entropy with one-hot
    labels: onnxsim trains neither symbolic sizes nor LogSoftmax and GatherElements."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        row.load().build(path, level=0)
        model = onnx.load(path)
    graph = model.graph
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = row.size
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.int64 and value.shape == (2,) and value[0] == 0:  # flatten's shape
            fixed = np.array([row.size, value[1]])
            tensor.CopyFrom(numpy_helper.from_array(fixed, tensor.name))
    logits = graph.output[0].name
    graph.input.append(
        helper.make_tensor_value_info("one_hot", TensorProto.FLOAT, [row.size, CLASSES])
    )
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "classes_axis"))
    graph.node.extend(
        [
            helper.make_node("Softmax", [logits], ["probabilities"], axis=1),
            helper.make_node("Log", ["probabilities"], ["logarithms"]),
            helper.make_node("Mul", ["logarithms", "one_hot"], ["chosen"]),
            helper.make_node("ReduceSum", ["chosen", "classes_axis"], ["each"], keepdims=0),
            helper.make_node("ReduceMean", ["each"], ["mean"], keepdims=0),
            helper.make_node("Neg", ["mean"], ["loss"]),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("loss", TensorProto.FLOAT, []))
    del graph.value_info[:]
    return model


def onnxsim_step(
    row: Network, weights: Mapping[str, Array], batch: list[Array]
) -> Callable[[], float]:
    """Takes a training step from our weights and gives its loss; classifiers only."""
    model = _with_loss(row)
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    loop = onnxsim.compile_training_loop(
        model, "loss", list(weights), optimizer=_OPTIMIZERS[row.optimizer]
    )
    feeds = {graph.input[0].name: batch[0], "one_hot": np.eye(CLASSES, dtype=np.float32)[batch[1]]}
    return lambda: float(loop(feeds, lr=row.lr))
