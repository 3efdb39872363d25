"""Gradients of gathering and scatterings whose indices repeat, however many they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from nncomp.backends.ort.bodies.body import Body, Target
from nncomp.backends.ort.bodies.indexing import BODIES
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import choose_body, legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import DimLike, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.indexing_nd import ScatterND
from nncomp.types import Array, DType, TensorType

RNG = np.random.default_rng(5)
PLACES, WIDTH = 900, 3
GRADIENTS = [body for body in BODIES if body.op is GatherGrad]


def gradient(
    body: Body | None, count: DimLike, places: int = PLACES, width: int = WIDTH
) -> tuple[Graph, Node]:
    """The gradient of an embedding by that body (the cheapest for None), and its node."""
    b = Builder()
    rows = Value(TensorType(DType.F32, (count, width)), "rows")
    ids = Value(TensorType(DType.I64, (count,)), "ids")
    out = b(GatherGrad(), rows, ids, b.dims((places, width)))
    node = out.node
    assert node is not None

    def choose(other: Node, target: Target) -> Body | None:
        return body if body and other.op is node.op else choose_body(other, target)

    graph = Graph("embedding", (rows, ids), (), tuple(b.nodes), {"dx": out})
    return legalize(graph, choose=choose), node


IDS: dict[str, Callable[[int], Array]] = {
    "repeated": lambda n: RNG.integers(-PLACES, PLACES, n),
    "few": lambda n: RNG.integers(0, 3, n) * (PLACES - 1) // 2,
    "unique": lambda n: RNG.permutation(PLACES)[:n],
    "one": lambda n: np.full(n, PLACES - 1),
    "runs": lambda n: np.arange(n) // 33,
}


@pytest.mark.parametrize("body", GRADIENTS, ids=lambda body: body.name)
@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("known", [True, False], ids=["known", "symbolic"])
def test_an_embedding_gradient_is_torchs(body: Body, kind: str, known: bool) -> None:
    """In float64, from one model for all numbers of ids where it is symbolic."""
    sizes = [1, 513, 800] + [5000] * (kind in ("repeated", "few", "one"))
    session = None if known else Session(emit(gradient(body, new_dim("T"))[0]), threads=2)
    for size in sizes:
        ids, rows = IDS[kind](size), RNG.standard_normal((size, WIDTH)).astype(np.float32)
        wide = torch.from_numpy(rows.astype(np.float64))
        wanted = torch.zeros(PLACES, WIDTH, dtype=torch.float64)
        wanted.index_add_(0, torch.from_numpy(ids % PLACES), wide)
        run = session or Session(emit(gradient(body, size)[0]), threads=2, optimize=False)
        found = run.run({"rows": rows, "ids": ids})["dx"]
        added = torch.zeros_like(wanted).index_add_(0, torch.from_numpy(ids % PLACES), wide.abs())
        limit = 1e-6 * float(added.max())
        np.testing.assert_allclose(found, wanted.numpy(), rtol=0, atol=limit)


@pytest.mark.parametrize("body", GRADIENTS, ids=lambda body: body.name)
def test_no_ids_give_zeros(body: Body) -> None:
    session = Session(emit(gradient(body, new_dim("T"))[0]))
    nothing = {"rows": np.zeros((0, WIDTH), np.float32), "ids": np.zeros(0, np.int64)}
    np.testing.assert_array_equal(session.run(nothing)["dx"], np.zeros((PLACES, WIDTH)))


@pytest.mark.parametrize(
    ("count", "places", "width", "chosen"),
    [
        (1024, 50257, 768, "sorted-blocks"),  # GPT-2's tokens
        (8192, 5000, 256, "sorted-blocks"),
        (8192, 65, 256, "one-hot-product"),  # characters
        (8192, 500, 1, "scatter-elements"),  # a bias for each of 500 classes
    ],
)
def test_the_choice_depends_on_the_shape(count: int, places: int, width: int, chosen: str) -> None:
    graph, node = gradient(None, count, places, width)
    body = choose_body(node, Target())
    assert body is not None
    assert body.name == chosen
    histories = {str(step) for node in graph.nodes for step in node.origin.history}
    assert f"legalize/{chosen}" in histories
    on_cuda = choose_body(node, Target(provider="cuda"))
    assert on_cuda is not None
    assert on_cuda.name == "scatter-elements"


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_repeated_tuples_do_not_race(reduction: str) -> None:
    """onnxruntime's own ScatterND loses updates with two threads."""
    b = Builder()
    data = Value(TensorType(DType.F32, (4, 5, 64)), "data")
    indices = Value(TensorType(DType.I64, (4000, 2)), "indices")
    updates = Value(TensorType(DType.F32, (4000, 64)), "updates")
    out = b(ScatterND(reduction), data, indices, updates)
    graph = Graph("scatter", (data, indices, updates), (), tuple(b.nodes), {"out": out})
    feeds = {
        "data": RNG.standard_normal((4, 5, 64)).astype(np.float32),
        "indices": RNG.integers(-4, 4, (4000, 2)),
        "updates": RNG.uniform(0.98, 1.02, (4000, 64)).astype(np.float32),
    }
    wide = [feeds["data"].astype(np.float64), feeds["indices"], feeds["updates"].astype(np.float64)]
    (wanted,) = evaluate(ScatterND(reduction), wide)
    session = Session(emit(legalize(graph)), threads=2)
    for _ in range(3):
        found = session.run(feeds)["out"]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
