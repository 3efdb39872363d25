"""Operators of older operator sets: each change has a rule, and the rules give the same numbers."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
import pytest

from nncomp.onnx_import.upgrade import RULES
from tests.onnx_import.support import agrees, imported, in_numpy, normal, refused

IR_OPSET = 26
WITHOUT = {"Scan"}  # of opset 8: refused


def test_every_change_of_form_has_a_rule() -> None:
    """Attributes that went, operands that came or went, read from ONNX's own schemas."""
    history: dict[str, list[onnx.defs.OpSchema]] = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= IR_OPSET:
            history[schema.name].append(schema)
    changed, lacking = 0, set()
    for name, schemas in history.items():
        *older, newest = sorted(schemas, key=lambda schema: schema.since_version)
        for schema in older:
            gone = schema.attributes.keys() - newest.attributes.keys() - {"consumed_inputs"}
            if gone or _needed(newest) > _needed(schema) or len(schema.inputs) > len(newest.inputs):
                changed += 1
                if not any(before > schema.since_version for before, _ in RULES.get(name, ())):
                    lacking.add(name)
    assert changed >= 60
    assert lacking == WITHOUT


def _needed(schema: onnx.defs.OpSchema) -> int:
    single = onnx.defs.OpSchema.FormalParameterOption.Single
    return sum(formal.option == single for formal in schema.inputs)


# The operator and its opset; the shape of x; the results; constants; the node.
RESIZED = "float[1,1,6,8] y"
REGION = "float[8] r = {0,0,0,0,1,1,1,1}, float[4] s = {1,1,1.5,2}"
CASES = [
    ("Clip", 7, "3,4", "float[3,4] y", "", "y = Clip<min=-0.5, max=0.25>(x)"),
    ("Clip, one bound", 7, "3,4", "float[3,4] y", "", "y = Clip<max=0.25>(x)"),
    ("Softmax", 9, "2,3,4", "float[2,3,4] y", "", "y = Softmax(x)"),
    ("Softmax of all", 11, "3,4", "float[3,4] y", "", "y = Softmax<axis=0>(x)"),
    ("LogSoftmax", 11, "2,3,4", "float[2,3,4] y", "", "y = LogSoftmax<axis=-1>(x)"),
    ("Squeeze", 11, "3,1,4", "float[3,4] y", "", "y = Squeeze<axes=[1]>(x)"),
    ("Unsqueeze", 11, "3,4", "float[1,3,1,4] y", "", "y = Unsqueeze<axes=[0,2]>(x)"),
    ("ReduceSum", 11, "3,4", "float[3,1] y", "", "y = ReduceSum<axes=[1]>(x)"),
    ("ReduceMean", 13, "3,4", "float[4] y", "", "y = ReduceMean<axes=[0], keepdims=0>(x)"),
    ("Slice", 9, "3,4", "float[2,2] y", "", "y = Slice<starts=[0,1], ends=[2,3]>(x)"),
    ("Pad", 9, "3,4", "float[4,6] y", "", "y = Pad<pads=[1,0,0,2], value=1.5>(x)"),
    (
        *("Split", 11, "3,4", "float[3,1] y, float[3,3] z", ""),
        "y, z = Split<axis=1, split=[1,3]>(x)",
    ),
    ("Split evenly", 13, "3,4", "float[3,2] y, float[3,2] z", "", "y, z = Split<axis=1>(x)"),
    ("TopK", 9, "3,4", "float[3,2] y, int64[3,2] i", "", "y, i = TopK<k=2>(x)"),
    ("Dropout", 10, "3,4", "float[3,4] y", "", "y = Dropout<ratio=0.5>(x)"),
    (
        "Upsample",
        8,
        "1,1,3,4",
        "float[1,1,6,12] y",
        "",
        "y = Upsample<scales=[1.0,1.0,2.0,3.0]>(x)",
    ),
    (
        *("Upsample by an operand", 9, "1,1,3,4", "float[1,1,6,8] y", "float[4] s = {1,1,2,2}"),
        'y = Upsample<mode="linear">(x, s)',
    ),
    ("Resize", 10, "1,1,4,4", RESIZED, "float[4] s = {1,1,1.5,2}", "y = Resize(x, s)"),
    (
        *("Resize with regions", 11, "1,1,4,4", RESIZED, REGION),
        'y = Resize<mode="linear", coordinate_transformation_mode="align_corners">(x, r, s)',
    ),
    (
        *("Resize for networks", 11, "1,1,4,4", RESIZED, REGION),
        'y = Resize<coordinate_transformation_mode="tf_half_pixel_for_nn", '
        'nearest_mode="floor">(x, r, s)',
    ),
    (
        *("BatchNormalization", 9, "2,3,4", "float[2,3,4] y", "float[3] a = {1,2,3}"),
        "y = BatchNormalization(x, a, a, a, a)",
    ),
    (
        *("GroupNormalization", 18, "2,4,3", "float[2,4,3] y"),
        *("float[2] a = {1,2}, float[2] b = {0,1}",),
        "y = GroupNormalization<num_groups=2>(x, a, b)",
    ),
    (
        *("Scatter", 9, "3,4", "float[3,4] y"),
        *("int64[1,2] i = {1,2}, float[1,2] u = {5,6}", "y = Scatter(x, i, u)"),
    ),
]


@pytest.mark.parametrize(
    ("opset", "shape", "results", "constants", "node"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_older_form(opset: int, shape: str, results: str, constants: str, node: str) -> None:
    given = f"<{constants}>" if constants else ""
    text = f"f (float[{shape}] x) => ({results}) {given} {{ {node} }}"
    agrees(text, opset, x=normal(*map(int, shape.split(","))))


def test_broadcast_from_an_axis() -> None:
    """Before opset 7, which onnxruntime does not run."""
    text = (
        "f (float[2,3,4] x, float[3] b) => (float[2,3,4] y) { y = Add<broadcast=1, axis=1>(x, b) }"
    )
    x, b = normal(2, 3, 4), normal(3)
    np.testing.assert_array_equal(in_numpy(imported(text, 6), x=x, b=b)["y"], x + b[:, None])


def test_tile_along_an_axis() -> None:
    text = """f (float[2,3] x) => (float[2,6] y) <int64 n = {2}, int64 axis = {1}>
    { y = Tile(x, n, axis) }"""
    x = normal(2, 3)
    np.testing.assert_array_equal(in_numpy(imported(text, 5), x=x)["y"], np.tile(x, (1, 2)))


def test_cast_to_a_name() -> None:
    text = 'f (float[3] x) => (int32[3] y) { y = Cast<to="INT32">(x) }'
    assert in_numpy(imported(text, 5), x=normal(3))["y"].dtype == np.int32


def test_what_has_no_present_form() -> None:
    training = """f (float[2,3,4] x) => (float[2,3,4] y, float[3] m)
    <float[3] a = {1,2,3}> { y, m = BatchNormalization(x, a, a, a, a) }"""
    assert "training" in refused(training, 9).message
    assert refused("f (float[N] x) => (float[N] y) { y = Relu(x) }", 99).code == "NN0804"
