"""Memory, graphs, and what looks at sets: rows 53 to 55, 58 and 59."""

from __future__ import annotations

import numpy as np

from nncomp.types import Array
from zoo.figures import memories
from zoo.marks import train
from zoo.row import Case, Mark, Row

EVOFORMER = {
    "msa_width": 10, "pair_width": 8, "heads": 2, "head_width": 3, "pair_heads": 2,
    "hidden": 6, "outer": 4,
}  # fmt: skip


def ring(shape: tuple[int, ...]) -> Array:
    """The adjacency of nodes in a circle."""
    linked = np.roll(np.eye(*shape), 1, axis=0)
    return (linked + linked.T > 0).astype(np.float32)


ROWS = (
    Row(
        53,
        "Memory network",
        (Case("memnet.nn", {"vocabulary": 11, "width": 6, "sentences": 5}),),
        None,
        Mark(
            "single-fact question answering ≥ 95 %",
            (
                train(
                    53,
                    "models/memnet.nn --data generated:facts --set vocabulary=16 "
                    "--set classes=16 --epochs 15",
                ),
            ),
            "accuracy",
            0.95,
        ),
    ),
    Row(
        54,
        "Neural Turing machine",
        (Case("ntm.nn", {"bits": 3, "rows": 6, "width": 4, "hidden": 8}),),
        memories.HEADS,
        Mark(
            "copy task, length 10: ≥ 99 % of bits",
            (
                train(
                    54,
                    "models/ntm.nn --data generated:bits,samples=8000 --set rows=24 --set width=10 "
                    "--set hidden=48 --epochs 12 --batch-size 32 --lr 3e-3",
                ),
            ),
            "accuracy",
            0.99,
        ),
    ),
    Row(
        55,
        "Graph neural network (GCN)",
        (Case("gcn.nn", {"features": 5, "classes": 3}, special={"adjacency": ring}),),
        memories.ADJACENCY,
        Mark(
            "karate club from 2 labels: ≥ 32 of 34",
            (
                train(
                    55,
                    "models/gcn.nn --data networkx:karate --batch-size 34 --no-shuffle --epochs 60",
                ),
            ),
            "accuracy",
            32 / 34 - 1e-3,
            quick=True,
        ),
    ),
    Row(
        58,
        "AlphaStar-style core",
        (
            Case(
                "alphastar.nn",
                {"features": 3, "width": 8, "heads": 2, "layers": 1, "hidden": 6},
                symbols=3,
            ),
        ),
        memories.POINTER,
    ),
    Row(
        59,
        "AlphaFold's Evoformer block",
        (Case("evoformer.nn", EVOFORMER, heavy=True),),
        memories.TRIANGLES,
    ),
)
