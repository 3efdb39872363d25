"""The counter-based stream: the same bits everywhere, and good ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.backends.reference.kernels.random import stream_bits, stream_key
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ops.random import COLUMNS, Random, shift_bits, shift_by_division
from nncomp.types import Array, DType, TensorType

COUNT = 1 << 16
# neighbours in each of the three, and what users write
STREAMS = [
    *((seed, 0, 0) for seed in range(4)),
    *((0, step, 0) for step in range(1, 4)),
    *((0, 0, site) for site in range(1, 4)),
    *((1, 1, 1), (42, 1000, 7), (-1, 0, 0), (2**63 - 1, 2**40, 12345)),
]

KEYS = ["0x955691be97992d79", "0x4d8e506308c06875"]
BITS = ["0x1bb53bf1d83c31de", "0x3564c518786ae636", "0x7005fec9b51c2aca"]
LATER = "0x3023d5272a0cbd49"  # at place 5000


def uniforms(seed: int, step: int, site: int, count: int = COUNT, kind: str = "uniform") -> Array:
    operands = (np.array(seed), np.array(step), np.array([count]))
    return evaluate(Random(site, kind), operands)[0]


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("shift", [shift_bits, shift_by_division])
@pytest.mark.parametrize("shape", [(7, 11), (3, 512), (2, 500), (0, 4), (2, 3, 401)], ids=str)
def test_every_body_gives_the_bits_of_the_kernel(
    shift: object, distribution: str, shape: tuple[int, ...]
) -> None:
    op = Random(site=5, distribution=distribution)
    b = Builder()
    scalar = TensorType(DType.I64, ())
    seed, step = Value(scalar, "seed"), Value(scalar, "step")
    y = op.body(b, seed, step, b.ints(*shape), shift)  # type: ignore[arg-type]
    graph = Graph("random", (seed, step), (), tuple(b.nodes), {"y": y})
    arrays = {"seed": np.array(-3), "step": np.array(2**40)}
    expected = evaluate(op, (arrays["seed"], arrays["step"], np.array(shape)))[0]
    np.testing.assert_array_equal(run(graph, arrays).outputs["y"], expected)


def test_the_stream_is_a_part_of_the_format() -> None:
    """Checkpoints and published curves depend on these numbers: they must never change."""
    assert [hex(stream_key(*s)) for s in ((0, 0, 0), (1, 2, 3))] == KEYS
    assert [hex(x) for x in stream_bits(stream_key(1, 2, 3), 3)] == BITS
    assert hex(stream_bits(stream_key(1, 2, 3), 1, 5000)[0]) == LATER


@pytest.mark.parametrize("stream", STREAMS, ids=str)
def test_uniforms_are_uniform(stream: tuple[int, int, int]) -> None:
    u = uniforms(*stream)
    assert u.dtype == np.float32
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(float(u.mean()) - 0.5) < 5 * np.sqrt(1 / 12 / COUNT)
    for low_bits in (0, 8, 16):  # the leading byte, and the bytes below it
        values = (u.astype(np.float64) * 2**24).astype(np.int64) >> low_bits & 255
        counts = np.bincount(values, minlength=256)
        assert _chi_square_is_plausible(counts)
    pairs = (u[:-1] * 16).astype(int) * 16 + (u[1:] * 16).astype(int)
    assert _chi_square_is_plausible(np.bincount(pairs, minlength=256))


def _chi_square_is_plausible(counts: Array) -> bool:
    expected = counts.sum() / len(counts)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    freedom = len(counts) - 1
    return abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom)


def test_streams_are_unrelated() -> None:
    """No correlation at any small lag, and no shared numbers: streams are not permutations."""
    drawn = [uniforms(*stream) for stream in STREAMS]
    limit = 5.5 / np.sqrt(COUNT)
    for (i, a), (j, b) in itertools.combinations(enumerate(drawn), 2):
        for lag in range(-3, 4):
            r = np.corrcoef(a[3 + lag : COUNT - 3 + lag], b[3:-3])[0, 1]
            assert abs(r) < limit, f"{STREAMS[i]} and {STREAMS[j]} at lag {lag}: {r:.4f}"
    bits = [stream_bits(stream_key(*stream), COUNT) for stream in STREAMS]
    assert len(np.unique(np.concatenate(bits))) == len(STREAMS) * COUNT


@pytest.mark.parametrize("stream", STREAMS, ids=str)
def test_numbers_that_share_a_row_or_column_are_unrelated(stream: tuple[int, int, int]) -> None:
    """A row's and a column's words make 512 numbers each: no row, column or sum of them foretells
    another, and their matrix has the singular values of a random one (Marchenko, Pastur, 1967)."""
    rows = 512
    u = uniforms(*stream, count=rows * COLUMNS).reshape(rows, COLUMNS).astype(np.float64)
    z = (u - 0.5) * np.sqrt(12)
    for matrix in (z, z.T):
        products = (matrix @ matrix.T / matrix.shape[1])[np.triu_indices(len(matrix), 1)]
        sigma = 1 / np.sqrt(matrix.shape[1])
        assert np.abs(products).max() < 6.5 * sigma
        assert abs(products.std() / sigma - 1) < 5 / np.sqrt(2 * len(products))
        sums = matrix.sum(axis=1) / np.sqrt(matrix.shape[1])
        assert abs(sums.var() - 1) < 5 * np.sqrt(2 / len(sums))
    values = np.linalg.svd(z / np.sqrt(COLUMNS), compute_uv=False)
    assert 1.9 < values[0] < 2.05
    assert abs(np.median(values**2) - 0.6527) < 0.02  # of the law's distribution at ratio 1


def test_corners_of_rectangles_are_independent() -> None:
    """Four numbers of two rows and two columns come from eight words."""
    corners = []
    for stream in STREAMS:
        u = uniforms(*stream, count=128 * COLUMNS).reshape(64, 2, COLUMNS // 2, 2)
        corners.append(np.moveaxis(u, 2, 1).reshape(-1, 4))
    drawn = np.concatenate(corners)
    cells = (drawn * 8).astype(int) @ np.array([512, 64, 8, 1])
    assert _chi_square_is_plausible(np.bincount(cells, minlength=4096))
    for signs in ([1, -1, -1, 1], [1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]):
        folded = (drawn.astype(np.float64) @ np.array(signs)) % 1
        assert _chi_square_is_plausible(np.bincount((folded * 256).astype(int), minlength=256))


def test_a_shorter_draw_is_the_start_of_a_longer_one() -> None:
    """So a sample's mask does not depend on how many follow it in the batch."""
    for kind in ("uniform", "normal"):
        whole = uniforms(3, 4, 5, 5000, kind)
        for count in (0, 1, 256, 511, 512, 513, 4999):
            np.testing.assert_array_equal(uniforms(3, 4, 5, count, kind), whole[:count])
    bits = stream_bits(stream_key(3, 4, 5), 5000)
    np.testing.assert_array_equal(stream_bits(stream_key(3, 4, 5), 700, 900), bits[900:1600])


def test_a_stream_is_not_related_to_itself() -> None:
    u = uniforms(0, 0, 0)
    for lag in (1, 2, 3, 7, 8, 28, 64, 256, 511, 512, 513, 1024, 2048):
        r = np.corrcoef(u[:-lag], u[lag:])[0, 1]
        assert abs(r) < 5 / np.sqrt(COUNT), lag


@pytest.mark.parametrize("part", ["seed", "step", "counter"])
def test_one_flipped_bit_flips_half_of_the_result(part: str) -> None:
    rng = np.random.default_rng(0)
    flips = np.zeros(24)
    width = 20 if part == "counter" else 62
    trials = 2000
    for _ in range(trials):
        seed, step = (int(v) for v in rng.integers(0, 2**62, 2))
        place = int(rng.integers(0, 2**16))
        bit = int(rng.integers(0, width))
        changed = {"seed": seed, "step": step, "counter": place}
        changed[part] ^= 1 << bit
        before = _one(seed, step, place)
        after = _one(changed["seed"], changed["step"], changed["counter"])
        difference = (before ^ after) >> 40  # the bits that are used
        flips += [difference >> i & 1 for i in range(24)]
    share = flips / trials  # for each bit of the result
    assert np.all(np.abs(share - 0.5) < 5 * 0.5 / np.sqrt(trials))


def _one(seed: int, step: int, place: int) -> int:
    """The number at one place."""
    return int(stream_bits(stream_key(seed, step, 0), 1, place)[0])


def test_first_numbers_of_neighbouring_streams_are_uniform() -> None:
    for vary in range(3):
        keys = [stream_key(*np.roll([i, 0, 0], vary).tolist()) for i in range(4096)]
        first = np.array([int(stream_bits(key, 1)[0]) for key in keys], np.uint64)
        counts = np.bincount((first >> np.uint64(58)).astype(int), minlength=64)
        assert _chi_square_is_plausible(counts)
        u = (first >> np.uint64(40)) * 2.0**-24
        assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 5 / np.sqrt(len(u))


def test_normals_are_normal() -> None:
    z = uniforms(3, 1, 4, kind="normal").astype(np.float64)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 5 * np.sqrt(variance / COUNT), power
    assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 5 / np.sqrt(COUNT)
    assert np.isfinite(z).all()
