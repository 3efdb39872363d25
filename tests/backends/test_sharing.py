"""A constant and its transpose are one tensor in the file, whichever comes first."""

from __future__ import annotations

import numpy as np

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.ort.sharing import MIN_BYTES, share_transposed
from nncomp.backends.reference.interpreter import run
from nncomp.ops.elementwise import Add, Mul
from nncomp.types import Array
from tests.passes.support import Net

SIDE = int((MIN_BYTES / 4) ** 0.5)


def matrix(rows: int, columns: int) -> Array:
    return np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)


def counts(*matrices: Array) -> tuple[int, int]:
    """How many large constants and Transposes are left of a sum over all; it is the same."""
    net = Net()
    result = net.input(1)
    for array in matrices:
        y = net(Mul(), net.input(1), net.b.constant(array))
        result = net(Add(), result, net(Mul(), y, y))
    graph = net.graph(result)
    shared = share_transposed(graph)
    inputs = {v.name: np.ones(1, np.float32) for v in graph.inputs}
    (expected,) = run(graph, inputs).outputs.values()
    for found in (
        run(shared, inputs).outputs,
        Session(emit(legalize(graph)), optimize=False).run(inputs),
    ):
        (value,) = found.values()
        assert np.allclose(value, expected, rtol=1e-6)
    assert share_transposed(shared) is shared
    names = [node.op.name for node in shared.nodes]
    return names.count("Constant"), names.count("Transpose")


def test_a_transposed_twin() -> None:
    large = matrix(SIDE, SIDE)
    assert counts(large, np.ascontiguousarray(large.T)) == (1, 1)
    assert counts(np.ascontiguousarray(large.T), large) == (1, 1)


def test_what_is_small_or_nearly_the_same_stays() -> None:
    small = matrix(SIDE // 2, SIDE // 2)
    assert counts(small, np.ascontiguousarray(small.T)) == (2, 0)
    large = matrix(SIDE, SIDE)
    other = np.ascontiguousarray(large.T)
    other[-1, -1] += 1
    assert counts(large, other) == (2, 0)
