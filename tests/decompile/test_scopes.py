"""Whatever an exporter says of blocks, what is written computes the same."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import parse_model
from tests.decompile.support import assert_same_outputs

WORDS = ["a", "layer", "layers.0", "layers.1", "for", "1", "x y", '"', "é", "Conv", "x", "{i}", ""]


def random_model(rng: random.Random) -> onnx.ModelProto:
    """A graph of matrices [2, 4], whose nodes have names at random."""
    nodes, weights = [], []
    values = ["x", "z"]
    for number in range(rng.randrange(3, 25)):
        kind = rng.choice(["Add", "Mul", "Relu", "MatMul", "Max", "Softmax"])
        one, other = rng.choice(values[-4:]), rng.choice(values)
        scope = "/".join(rng.choice(WORDS) for _ in range(rng.randrange(4)))
        name, result = f"/{scope}/{kind}", f"{scope}/{kind}_{number}"
        if kind == "MatMul":
            path = rng.choice([f"w{number}", f"{scope.replace('/', '.')}.weight", "shared.weight"])
            if path not in {w.name for w in weights}:
                array = np.random.default_rng(number % 3).normal(size=(4, 4)).astype(np.float32)
                weights.append(onnx.numpy_helper.from_array(array, path))
            other = path
        inputs = [one] if kind in ("Relu", "Softmax") else [one, other]
        nodes.append(onnx.helper.make_node(kind, inputs, [result], name))
        values.append(result)
    f32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "random",
        [onnx.helper.make_tensor_value_info(n, f32, [2, 4]) for n in ("x", "z")],
        [onnx.helper.make_tensor_value_info(n, f32, None) for n in dict.fromkeys(values[-2:])],
        weights,
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])


def check(seed: int, folder: Path) -> bool:
    model = random_model(random.Random(seed))
    file = parse_model(model.SerializeToString(), "random.onnx")
    imported = import_model(file, evaluate)
    arrays = np.random.default_rng(seed).normal(size=(2, 2, 4)).astype(np.float32)
    inputs = dict(zip(("x", "z"), arrays, strict=True))
    return assert_same_outputs(imported, file, inputs, folder).structured


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 1000), marks=[pytest.mark.slow])]
)
def test_random_scopes(seeds: range, tmp_path: Path) -> None:
    structured = [check(seed, tmp_path) for seed in seeds]
    assert structured.count(True) >= 0.9 * len(structured)
