"""What rows 53 to 59 are held against."""

from __future__ import annotations

import numpy as np

from tests.models.agreement import drawn
from zoo.figures.support import close, grown, loaded
from zoo.row import Figure

RNG = np.random.default_rng(0)


def _heads() -> str:
    x = RNG.integers(0, 2, (3, 7, 8)).astype("f")
    found = loaded("ntm.nn", rows=20)(x=x)
    for name in ("writing", "reading"):
        assert found[name].min() >= 0
        close(found[name].sum(axis=2), np.ones((3, 14)), 1e-5)
    return "each step's weights"


def _adjacency() -> str:
    model = loaded("gcn.nn", features=5)
    x = RNG.standard_normal((7, 5)).astype("f")
    linked = np.triu(RNG.uniform(size=(7, 7)) < 0.4, 1)
    adjacency = (linked | linked.T).astype("f")
    p = model.parameters
    a = adjacency + np.eye(7)
    a = a / np.sqrt(np.outer(a.sum(0), a.sum(1)))
    h = np.maximum(a @ x @ p["conv1.linear.weight"].T + p["conv1.bias"], 0)
    expected = a @ h @ p["conv2.linear.weight"].T + p["conv2.bias"]
    return close(model(x=x, adjacency=adjacency)["logits"], expected, 1e-5)


def _pointer() -> str:
    """Probabilities of the units that are there add up to 1, the others have none; and what stands
    in a place that is not taken changes nothing."""
    model = loaded("alphastar.nn")
    entities = RNG.standard_normal((5, 9, 16)).astype("f")
    present = RNG.uniform(size=(5, 9)) < 0.5
    present[:, 0] = True
    scalar = RNG.standard_normal((5, 8)).astype("f")
    found = model(entities=entities, present=present, scalar=scalar)
    assert not found["pointer"][~present].any(), "it points at what is not there"
    other = np.where(present[:, :, None], entities, 1).astype("f")
    close(model(entities=other, present=present, scalar=scalar)["pointer"], found["pointer"], 1e-5)
    return close(found["pointer"].sum(axis=1), np.ones(5), 1e-5)


def _triangles() -> str:
    """The whole block's triangle updates stand in tests/models/test_structures.py, one by one; here
    that a block whose other branches are off is the two of them."""
    sizes = {"msa_width": 6, "pair_width": 5, "heads": 2, "head_width": 3, "pair_heads": 1}
    model = loaded("evoformer.nn", **sizes, hidden=4, outer=3)
    values = drawn(model.graph)
    off = ("outer.0.out", "starting.0.attention.out", "ending.0.attention.out")
    off += ("pair_transition.0.project",)
    for name in values:
        if name.startswith(off):
            values[name] = np.zeros_like(values[name])
    model = grown("evoformer.nn", values, **sizes, hidden=4, outer=3)
    msa, pair = RNG.standard_normal((3, 7, 6)).astype("f"), RNG.standard_normal((7, 7, 5))
    z = pair + _triangle(pair, values, "outgoing.0", "ikc,jkc->ijc")
    z = z + _triangle(z, values, "incoming.0", "kic,kjc->ijc")
    return close(model(msa=msa, pair=pair.astype("f"))["pair_next"], z, 1e-4)


def _triangle(pair: np.ndarray, values: dict[str, np.ndarray], name: str, sums: str) -> np.ndarray:
    def layer(x: np.ndarray, part: str) -> np.ndarray:
        return x @ values[f"{name}.{part}.weight"].T + values[f"{name}.{part}.bias"]

    def norm(x: np.ndarray, part: str) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * values[f"{name}.{part}.weight"] + values[f"{name}.{part}.bias"]

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    x = norm(pair, "norm")
    a, b = (sigmoid(layer(x, f"{side}_gate")) * layer(x, side) for side in "ab")
    y = np.einsum(sums, a, b)
    return sigmoid(layer(x, "gate")) * layer(norm(y, "out_norm"), "out")


HEADS = Figure("read and write weights sum to 1", _heads)
ADJACENCY = Figure("= normalised adjacency product", _adjacency)
POINTER = Figure("pointer sums to 1 over what is there", _pointer)
TRIANGLES = Figure("triangle updates = einsum", _triangles)
