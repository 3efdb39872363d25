"""Generative networks: rows 41, 42, 45 and 46; and 47, whose code is clustered."""

from __future__ import annotations

import numpy as np

from nncomp.types import Array
from zoo.figures import generators
from zoo.figures.counts import entries
from zoo.row import Case, Mark, Row
from zoo.rows.convolutional import LENET


def places(shape: tuple[int, ...]) -> Array:
    """A class at each place of a map."""
    label = np.random.default_rng(1).integers(0, shape[1], (shape[0], 1, *shape[2:]))
    return (label == np.arange(shape[1])[:, None, None]).astype(np.float32)


ROWS = (
    Row(
        41,
        "GAN",
        (Case("gan.nn", {"latent": 3, "hidden": 5}),),
        None,
        Mark("8-Gaussian ring: ≥ 7 modes", ("python examples/ring.py",), "modes", 7),
    ),
    Row(
        42,
        "DCGAN",
        (Case("dcgan.nn", {"latent": 5, "widths": (4, 8), "channels": 1}),),
        entries("dcgan.nn", {"sample": 3_576_704, "judge": 2_765_568}),
        Mark(
            "digits: every class ≥ 4 % of 1,000 samples, by row 10, which is sure of them ≥ 0.9",
            (LENET, "python examples/digits.py"),
            "confidence",
            0.9,
        ),
    ),
    Row(
        45,
        "Text-guided diffusion (classifier-free guidance)",
        (Case("diffusion.nn", {"width": 8, "steps": 2, "size": 4}, initial=True, heavy=True),),
        generators.SCHEDULE,
        Mark(
            "digits of a class that was asked for, which row 10 reads as such ≥ 90 %",
            (LENET, "python examples/guided.py"),
            "agreement",
            0.9,
        ),
    ),
    Row(
        46,
        "Semantic map to image (SPADE)",
        (
            Case(
                "spade.nn",
                {"classes": 3, "latent": 5, "width": 3, "hidden": 4, "levels": 1, "size": 3},
                special={"map": places},
                sizes=(2, 3),
            ),
        ),
        generators.SPADE,
    ),
    Row(
        47,
        "Deep spectral clustering",
        (
            Case("graph_cluster.nn", {"vertices": 6, "widths": (5,), "code": 2}),
            Case("graph_cluster.nn", {"vertices": 6, "widths": (), "code": 2, "linear": True}),
        ),
        generators.ECKART_YOUNG,
        Mark(
            "karate club: ≥ 33 of 34 members on their side",
            ("python examples/club.py",),
            "members",
            33,
        ),
    ),
)
