"""What is assumed of sizes, for formulas that no network has: nothing takes long or breaks."""

import time

import pytest

from nncomp.dims import DimLike, Symbol, floordiv
from nncomp.onnx_import.assumptions import assumption

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
