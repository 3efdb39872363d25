"""Models to be compared, in ONNX's text form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

import nncomp
from nncomp.inspect.diff.result import Diff
from tests.onnx_import.support import parsed

# Two convolutions with weights, activations between, a shape that is computed.
CHAIN = """f (float[N, 3, 8, 8] x) => (float[N, 4] y)
<float[6, 3, 3, 3] conv1_weight, float[6] conv1_bias, float[4, 6, 3, 3] conv2_weight>
{
  c1 = Conv<pads=[1, 1, 1, 1]>(x, conv1_weight, conv1_bias)
  r1 = Relu(c1)
  c2 = Conv<pads=[1, 1, 1, 1]>(r1, conv2_weight)
  r2 = Relu(c2)
  p = GlobalAveragePool(r2)
  shape = Constant<value_ints=[0, 4]>()
  y = Reshape(p, shape)
}"""


def model(text: str, **weights: float) -> onnx.ModelProto:
    """A model in which the values that no node gives are weights, their numbers made by name.

    weights: by name, what is added to the first number of one
    """
    proto = parsed(text)
    made = {name for node in proto.graph.node for name in node.output}
    for info in proto.graph.value_info:
        if info.name not in made:
            rng = np.random.default_rng(sum(info.name.encode()))
            shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
            array = rng.normal(size=shape).astype(np.float32)
            array.reshape(-1)[:1] += weights.get(info.name, 0)
            proto.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
    return proto


def written(folder: Path, name: str, text: str | onnx.ModelProto) -> Path:
    """A file of the model."""
    proto = model(text) if isinstance(text, str) else text
    path = folder / f"{name}.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def diff(
    folder: Path, a: str | onnx.ModelProto, b: str | onnx.ModelProto, **options: float
) -> Diff:
    """What differs, and the other way round as much."""
    left, right = written(folder, "a", a), written(folder, "b", b)
    back = nncomp.diff(right, left, **options)
    found = nncomp.diff(left, right, **options)
    counts = {"added": "removed", "removed": "added"}
    mine = sorted((c.part, c.kind) for c in found.changes if c.part != "edge")
    theirs = sorted((c.part, counts.get(c.kind, c.kind)) for c in back.changes if c.part != "edge")
    assert mine == theirs
    assert bool(found) is (not found.equal)
    return found


def told(found: Diff) -> list[str]:
    """The lines of the text, but for the heads and what follows."""
    return [line for line in str(found).splitlines()[2:] if line[0] in "+-~>"]
