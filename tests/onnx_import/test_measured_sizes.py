"""Sizes that are numbers of an input: each run measures them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import nncomp
from nncomp.types import Array


def _model() -> onnx.ModelProto:
    """The k largest of each row twice, k being an input, repeated, summed and put into a shape."""
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["best", "places"]),
        helper.make_node("TopK", ["x", "k"], ["again", "same"]),
        helper.make_node("Add", ["best", "again"], ["sum"]),
        helper.make_node("Tile", ["sum", "times"], ["tiled"]),
        helper.make_node("Shape", ["tiled"], ["sizes"]),
        helper.make_node("Concat", ["one", "sizes"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["tiled", "wanted"], ["y"]),
        helper.make_node("Expand", ["y", "shape"], ["z"]),
        helper.make_node("Relu", ["z"], ["out"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 7])]
    inputs += [
        helper.make_tensor_value_info(name, TensorProto.INT64, [count])
        for name, count in (("k", 1), ("times", 2), ("shape", 3))
    ]
    graph = helper.make_graph(
        nodes,
        "measured",
        inputs,
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [helper.make_tensor("one", TensorProto.INT64, [1], [1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("level", [0, 2])
def test_sizes_from_numbers(tmp_path: Path, level: int) -> None:
    source, written = tmp_path / "source.onnx", tmp_path / "written.onnx"
    onnx.save(_model(), source)
    model = nncomp.load(source)
    model.build(written, level=level)
    for n, k, times, copies in ((2, 3, (1, 2), 5), (1, 7, (4, 1), 1)):
        x: Array = np.random.default_rng(n).standard_normal((n, 7)).astype(np.float32)
        feed = {
            "x": x,
            "k": np.array([k]),
            "times": np.array(times),
            "shape": np.array([copies, 1, 1]),
        }
        tiled = np.tile(2 * -np.sort(-x, axis=1)[:, :k], times)
        expected = np.maximum(np.broadcast_to(tiled, (copies, *tiled.shape)), 0)
        for backend in ("numpy", "onnx"):
            found = model.run(feed, backend=backend)["out"]
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        from nncomp.backends.ort.session import Session

        ran = Session(onnx.load(written), optimize=False).run(feed)
        np.testing.assert_allclose(next(iter(ran.values())), expected, rtol=1e-6)
