"""What is assumed of sizes: in models, and for formulas that no network has."""

import time

import numpy as np
import pytest

from nncomp.dims import DimLike, Symbol, floordiv
from nncomp.errors import CompileError
from nncomp.onnx_import.assumptions import assumption
from tests.onnx_import.support import agrees, imported, in_numpy, normal, refused

PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
n = Symbol("n", 1, 2**63 - 1)


def test_many_roundings() -> None:
    total: DimLike = 0
    for prime in PRIMES:
        total = total + floordiv(n.dim, prime)
    start = time.perf_counter()
    assert assumption([(total, n.dim * 15)]) is None
    assert time.perf_counter() - start < 10  # 6e17 candidates would take for ever


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("height", "height_over_2"),
        ("height_over_4", "height_over_8"),
        ("n_over_" + "9" * 5000, "n_over_" + "9" * 5000 + "_over_2"),
        ("n_over_²", "n_over_²_over_2"),
        ("_over_", "_over__over_2"),
    ],
)
def test_parts_have_names(name: str, part: str) -> None:
    size = Symbol(name, 1).dim
    found = assumption([(floordiv(size, 2) * 2, size)])
    assert found is not None
    assert str(found[1]) == f"2*{part}"


def test_bounds_of_a_quotient() -> None:
    found = assumption([(floordiv(n.dim, 4), 1)])
    assert found is not None
    (symbol,) = found[1].symbols()  # type: ignore[union-attr]
    assert (symbol.minimum, symbol.maximum) == (4, 7)


def test_a_divisor_that_may_be_0() -> None:
    assert assumption([(floordiv(10, n.dim - 3), 2)]) is None


def test_sizes_that_an_operator_needs_to_be_equal() -> None:
    """`.nn` refuses it; a model from elsewhere has run before."""
    model = imported("f (float[N] a, float[M] b) => (float[N] y) { y = Add(a, b) }")
    assert [str(v.type) for v in model.graph.inputs] == ["f32[N]", "f32[N]"]
    assert [w.code for w in model.warnings] == ["NN0806"]
    np.testing.assert_array_equal(in_numpy(model, a=normal(4), b=normal(4))["y"], normal(4) * 2)
    with pytest.raises(CompileError, match="NN0503"):
        in_numpy(model, a=normal(4), b=normal(3))


def test_a_map_that_was_halved_and_doubled_meets_the_one_before() -> None:
    """As in every feature pyramid: the image is so many times a stride high and wide."""
    model = agrees(
        """
    f (float[N,2,h,w] x) => (float[N,2,p,q] y, float[N,2,h,w] z)
    <float[2,2,1,1] k = {1,0,0,1}, float[4] twice = {1,1,2,2}>
    {
      half = Conv<strides=[2,2]>(x, k)
      quarter = Conv<strides=[2,2]>(half, k)
      up = Resize<mode="nearest">(quarter, , twice)
      y = Add(half, up)
      full = Resize<mode="nearest">(y, , twice)
      z = Sub(x, full)
    }""",
        x=normal(3, 2, 8, 12),
    )
    (image,) = model.graph.inputs
    assert str(image.type) == "f32[N, 2, 4*h_over_4, 4*w_over_4]"
    assert str(model.graph.outputs["y"].type) == "f32[N, 2, 2*h_over_4, 2*w_over_4]"
    assert {w.code for w in model.warnings} == {"NN0806"}
    with pytest.raises(CompileError, match="NN0503"):
        in_numpy(model, x=normal(1, 2, 8, 10))


def test_a_range_of_floats_up_to_a_size() -> None:
    """`torch.arange(width, dtype=torch.float32)`."""
    model = agrees(
        """
    f (float[N,w] x) => (float[N,w] y)
    <float zero = {0}, float delta = {1}, int64 axis = {1}>
    {
      shape = Shape(x)
      width = Gather(shape, axis)
      limit = Cast<to=1>(width)
      places = Range(zero, limit, delta)
      y = Add(x, places)
    }""",
        x=normal(3, 5),
    )
    assert str(model.graph.outputs["y"].type) == "f32[N, w]"
    assert not model.warnings


def test_a_bound_becomes_an_obligation() -> None:
    """The first 6 positions, as of a table, are added to all."""
    model = imported("""
    f (float[1,n] x) => (float[1,n] y)
    <float[1,6] table = {0,1,2,3,4,5}, int64[1] zero = {0}, int64[1] one = {1}>
    {
      size = Shape<start=1>(x)
      part = Slice(table, zero, size, one)
      y = Add(x, part)
    }""")
    assert [str(o) for o in model.graph.obligations] == ["n <= 6"]
    assert in_numpy(model, x=normal(1, 5))["y"].shape == (1, 5)
    with pytest.raises(CompileError, match="NN0209"):
        in_numpy(model, x=normal(1, 7))


SQUEEZED = """
    f (float[N,2,n] x) => (float[N,2] y)
    <float[2,2,4] k = {1,0,0,1,1,0,0,1,1,0,0,1,1,0,0,1}, int64[1] last = {2}, int64 one = {1},
     int64 two = {2}>
    {
      c = Conv<strides=[4]>(x, k)
      shape = Shape(c)
      size = Gather(shape, two)
      fits = Equal(size, one)
      y = If (fits) <
        then_branch = g1 () => (float[N,2] a) { a = Squeeze(c, last) },
        else_branch = g2 () => (float[N,2,m] b) { b = Identity(c) }
      >
    }"""


def test_what_torch_writes_for_squeeze() -> None:
    """Where the size is not known, both branches: it has been 1."""
    model = agrees(SQUEEZED, x=normal(3, 2, 7))
    assert [str(o) for o in model.graph.obligations] == ["n <= 7", "n >= 4"]
    assert "is taken to be from 4 to 7: Squeeze needs it" in model.warnings[0].message
    assert "If" not in {node.op.name for node in model.graph.nodes}
    for size in (3, 8):
        with pytest.raises(CompileError, match=r"NN0209|NN0503"):
            in_numpy(model, x=normal(1, 2, size))


def test_bounds_of_one_of_two_branches_are_not_those_of_the_model() -> None:
    """Which one is taken says another input."""
    text = SQUEEZED.replace("(float[N,2,n] x)", "(float[N,2,n] x, bool fits)")
    text = text.replace("      fits = Equal(size, one)\n", "")
    problem = refused(text)
    assert problem.code == "NN0205"
    assert problem.help is not None
    assert "--set NAME=VALUE" in problem.help
