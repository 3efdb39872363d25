"""Kernels on all cores compute what one core does, and leave BLAS as it was."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from nncomp.backends.reference import threads
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.backends.reference.kernels import windows
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ops.activation import Softmax
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.fused import FusedConv
from nncomp.ops.linear import MatMul
from nncomp.types import DType, TensorType
from tests.ops.checks import all_samples
from tests.ops.sample import Sample

SPREAD = ("Attention", "Conv", "FusedConv", "MaxPool", "MatMul", "Gemm", "Gelu", "Erf", "Softmax")
SAMPLES = [s for s in all_samples() if s.op.name.startswith(SPREAD)]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads, for however little there is to do."""
    monkeypatch.setattr(threads, "_WORTH", 1)
    monkeypatch.setattr(threads, "_most", lambda: 3)
    threads._helpers.cache_clear()


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_parts_make_the_whole(sample: Sample) -> None:
    whole = evaluate(sample.op, sample.inputs)
    with threads.all_cores():
        assert threads.cores() == 3
        parts = evaluate(sample.op, sample.inputs)
    for one, other in zip(whole, parts, strict=True):
        wide = np.float64 if one.dtype.kind not in "biu" else one.dtype
        np.testing.assert_allclose(one.astype(wide), other.astype(wide), rtol=1e-3, atol=1e-6)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_sum_follows_each_part_of_a_batch(kernel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 4
    monkeypatch.setattr(windows, "_CACHE_BYTES", 2 * 6 * size * size * 4)  # three samples: 2 and 1
    rng = np.random.default_rng(0)
    x, w, bias, z = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((9, 5, size, size), (6, 5, kernel, kernel), (6,), (9, 6, size, size))
    )
    op = FusedConv(kernel_shape=(kernel,) * 2, pads=(kernel // 2,) * 4, activation="Relu")
    (whole,) = evaluate(op, (x, w, bias, z))
    with threads.all_cores():
        (parts,) = evaluate(op, (x, w, bias, z))
    np.testing.assert_allclose(whole, parts, atol=1e-5)
    (alone,) = evaluate(Conv(kernel_shape=(kernel,) * 2, pads=(kernel // 2,) * 4), (x, w, bias))
    np.testing.assert_allclose(np.maximum(alone + z, 0), parts, atol=1e-5)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("sizes", "kernel", "settings"),
    [
        ((23, 29), (3, 5), {"pads": (2, 1, 0, 3)}),
        ((23, 29), (3, 2), {"strides": (1, 2), "dilations": (2, 3), "pads": (0, 1, 3, 0)}),
        ((3, 4), (2, 1), {"pads": (9, 8, 9, 8)}),  # windows that lie beside the input
        ((160,), (4,), {"pads": (1, 2)}),
        ((7, 8, 9), (2, 3, 2), {"pads": (1, 0, 1, 0, 1, 0)}),
    ],
    ids=str,
)
@pytest.mark.parametrize("filters", [2, 256, 1500])
def test_one_sample_by_rows_or_filters_is_as_one_of_several(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    settings: dict[str, tuple[int, ...]],
    filters: int,
) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 3, *sizes)), rng.standard_normal((filters, 3, *kernel))
    op = Conv(kernel_shape=kernel, **settings)
    with threads.all_cores():
        (alone,) = evaluate(op, (x, w))
        (several,) = evaluate(op, (np.concatenate([x, x]), w))
    np.testing.assert_allclose(alone, several[:1], atol=1e-12)


@pytest.mark.usefixtures("eager")
def test_each_calls_with_every_part_and_raises_what_it_raises() -> None:
    seen: list[int] = []
    with threads.all_cores():
        threads.each(seen.append, range(100))
        assert sorted(seen) == list(range(100))
        with pytest.raises(ValueError, match="seven"):
            threads.each(_no_seven, range(100))
        threads.each(seen.append, [100])
    assert seen[-1] == 100


def _no_seven(part: int) -> None:
    if part == 7:
        raise ValueError("seven")


@pytest.mark.usefixtures("eager")
def test_shares_are_the_range() -> None:
    with threads.all_cores():
        shares = threads.shares(10, 1000)
        assert len(shares) == 3
        assert [i for s in shares for i in range(10)[s]] == list(range(10))
        assert len(threads.shares(2, 1000)) == 2
        assert len(threads.shares(10, 0)) == 1
    assert len(threads.shares(10, 1000)) == 1


def test_blas_is_as_it_was_after_runs_at_once() -> None:
    before = [library["num_threads"] for library in threadpool_info()]
    a, b = (Value(TensorType(DType.F32, (64, 64)), name) for name in "ab")
    builder = Builder()
    y = builder(Softmax(), builder(Exp(), builder(MatMul(), a, b)))
    graph = Graph("g", (a, b), (), tuple(builder.nodes), {"y": y})
    x = np.ones((64, 64), np.float32)
    workers = [
        threading.Thread(target=lambda: [run(graph, {"a": x, "b": x}) for _ in range(20)])
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [library["num_threads"] for library in threadpool_info()] == before
    assert threads.cores() == 1
