"""ONNX's own node tests, by NumPy: those of one node whose operator is declared."""

from __future__ import annotations

from collections import Counter

from tests.ops.node_tests import NodeTest, foreign, has_body, node_tests

MINIMUM = 1155  # that pass; may only grow

# What tensors of ours do not hold yet; such tests are left out.
UNKNOWN_TYPES = {
    *("sequences and optionals", "strings", "int2", "uint2", "int4", "uint4", "float4_e2m1fn"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
}

_DRAWS = "random numbers, of another generator"
_OLD = "an older form, which an importer translates"
_LATER = "a form younger than opset 26, which the graph speaks"
_ROUNDED = "coordinates by the rounded size, as onnxruntime and PyTorch have them"
# Tests that fail, and why; each must.
EXCLUDED = {
    **dict.fromkeys(("test_bernoulli", "test_bernoulli_double", "test_bernoulli_seed"), _DRAWS),
    **{f"test_dft_{kind}opset19": _OLD for kind in ("", "axis_", "inverse_", "irfft_", "rfft_")},
    "test_dropout_random_old": _OLD,
    **{f"test_split_equal_parts_{kind}_opset13": _OLD for kind in ("1d", "2d", "default_axis")},
    **{f"test_spacetodepth_{mode}_mode_example": _LATER for mode in ("crd", "dcr")},
    **{f"test_mod_float{size}_mixed_sign_fmod_0": _LATER for size in (16, 32, 64)},
    **{f"test_mod_float_edge_cases_fmod_0_float{size}": _LATER for size in (16, 32, 64)},
    **{
        f"test_bitshift_{side}_int{size}": _LATER
        for side in ("left", "right")
        for size in (8, 16, 32, 64)
    },
    **{
        f"test_bitshift_{side}_int{size}_{kind}": _LATER
        for side, extra in (("left", "overflow"), ("right", "negative_input"))
        for size in (8, 32)
        for kind in ("negative_shift", "shift_ge_width", extra)
    },
    **{
        f"test_resize_downsample_scales_{mode}_align_corners": _ROUNDED
        for mode in ("cubic", "linear")
    },
}


def ours() -> list[NodeTest]:
    return [t for t in node_tests() if not has_body(t) and foreign(t) is None]


def test_types_that_are_left_out() -> None:
    assert {found for t in node_tests() if (found := foreign(t))} <= UNKNOWN_TYPES


def test_results() -> None:
    """All tests pass, but for those that are excluded, which do not."""
    failed: dict[str, str] = {}
    passed: Counter[str] = Counter()
    for t in ours():
        try:
            t.run()
        except Exception as failure:  # whatever it is, the list below has to have it
            failed[t.name] = f"{type(failure).__name__}: {failure}"
        else:
            passed[t.name] += 1
    unexpected = {name: why for name, why in failed.items() if name not in EXCLUDED}
    assert unexpected == {}
    assert sorted(set(EXCLUDED) - set(failed)) == [], "these pass now"
    assert sum(passed.values()) >= MINIMUM, sum(passed.values())
